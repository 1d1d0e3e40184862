import { test } from "node:test";
import assert from "node:assert/strict";
import { entropy, LARGEST, naive, stable } from "../../book/_assets/explorables/math/softmax.mjs";
import { close, reference } from "./reference.mjs";

// JSON has no NaN and no infinity: Python writes them as words.
const words = (values) => [...values].map((v) => (Number.isNaN(v) ? "nan" : v === Infinity ? "inf" : v));
function same(found, expected, message, relative) {
  words(found).forEach((value, i) => {
    if (typeof expected[i] === "string" || typeof value === "string") assert.equal(value, expected[i], `${message}[${i}]`);
    else close(value, expected[i], `${message}[${i}]`, relative, 1e-44);
  });
}

for (const { logits, temperature, powers, plain, safe, exact, bits } of reference.cases) {
  test(`logits ${logits} at temperature ${temperature}: both forms are Python's`, () => {
    same(naive(logits, temperature).powers, powers, "powers", 1e-6);
    same(naive(logits, temperature).shares, plain, "naive", 1e-6);
    same(stable(logits, temperature).shares, safe, "stable", 1e-6);
    // In float32 z/T is rounded: up to 2^-24 of its size is lost before the exponential.
    const lost = 1e-6 + 2 ** -23 * Math.max(...logits.map(Math.abs)) / temperature;
    stable(logits, temperature).shares.forEach((p, i) => close(p, exact[i], "against float64", lost, 1e-37));
    close(entropy(exact), bits, "entropy", 1e-6, 1e-12);
  });
}

test("the largest number with a finite exponential is the one Python finds", () => {
  close(LARGEST, reference.largest, "largest");
  assert.ok(naive([Math.fround(88.72)], 1).powers[0] < Infinity);
  assert.equal(naive([Math.fround(88.73)], 1).powers[0], Infinity);
});
