import { test } from "node:test";
import assert from "node:assert/strict";
import { ACTIVATIONS, erfc, find, gain, saturated } from "../../book/_assets/explorables/math/activations.mjs";
import { close, reference } from "./reference.mjs";

test("every function of the catalogue is compared", () => {
  assert.deepEqual([...new Set(reference.cases.map(({ name }) => name))].sort(), ACTIVATIONS.map(({ name }) => name).sort());
});

for (const { name, parameter, x, values, slopes, gain: expected } of reference.cases) {
  test(`${name}${parameter === null ? "" : ` at ${parameter}`}: value, slope and gain are Python's`, () => {
    const { f, slope } = find(name);
    close(x.map((at) => f(at, parameter)), values, "value");
    close(x.map((at) => slope(at, parameter)), slopes, "slope");
    close(gain((at) => f(at, parameter)), expected, "gain");
  });
}

test("nothing overflows where the true value does not", () => {
  for (const { name, f, slope, parameter } of ACTIVATIONS) {
    for (const at of [-1e4, -745, -100, 0, 100, 709, 1e4]) {
      assert.ok(Number.isFinite(f(at, parameter?.value)), `${name}(${at})`);
      assert.ok(Number.isFinite(slope(at, parameter?.value)), `slope of ${name} at ${at}`);
    }
  }
});

test("erfc keeps the digits of its tail", () => {
  reference.erfc.forEach(([x, value]) => close(erfc(x), value, `erfc(${x})`, 1e-12));
});

test("tails are saturated, a minimum is not", () => {
  const parts = (name, low, high) => saturated((x) => find(name).slope(x, find(name).parameter?.value), low, high, 0.05);
  assert.equal(parts("linear", -6, 6).length, 0);
  close(parts("relu", -6, 6).flat(), [-6, 0]);
  assert.equal(parts("sigmoid", -6, 6).length, 2);
  assert.deepEqual(parts("mish", -3, 3), []); // the slope passes through zero at −1.19
  assert.equal(parts("mish", -6, 6).length, 1);
});
