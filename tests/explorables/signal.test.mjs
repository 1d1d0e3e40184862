import { test } from "node:test";
import assert from "node:assert/strict";
import { half, histogram, INITIALIZERS, propagate } from "../../book/_assets/explorables/math/signal.mjs";
import { close, reference } from "./reference.mjs";

for (const { settings, forward, backward, hidden, gradients } of reference.networks) {
  const { activation, init, norm, skip, format } = settings;
  test(`${activation}, ${init}, ${norm}${skip ? ", skip" : ""}, ${format}: the network is Python's`, () => {
    const found = propagate(settings);
    // float16: where a sum falls between two of its numbers, its last bit in float64 decides which; such a neighbor
    // is 2⁻¹⁰ away and is passed on. Sizes over all units then agree to a thousandth, single units need not.
    const relative = format === "float16" ? 2e-3 : 1e-6;
    close(found.forward, forward, "forward", relative);
    close(found.backward, backward, "backward", relative);
    if (format === "float16") return;
    // Where terms cancel, single numbers keep the digits of the terms, not of the sum.
    const size = (values) => Math.max(...values.map(Math.abs));
    close([...found.hidden.at(-1)], hidden, "last activations", 1e-6, 1e-6 * size(hidden));
    close([...found.gradients[0]], gradients, "first gradient", 1e-6, 1e-6 * size(gradients));
  });
}

test("every initializer is compared", () => {
  assert.deepEqual([...new Set(reference.networks.map(({ settings }) => settings.init))].sort(), INITIALIZERS.map(([name]) => name).sort());
});

test("float16 rounds, underflows and overflows as torch does", () => {
  reference.halves.forEach(([x, expected]) => assert.ok(Object.is(half(x), expected === "inf" ? Infinity : expected), `${x} -> ${half(x)}, not ${expected}`));
});

test("a histogram counts what lies outside at its edges and leaves NaN out", () => {
  assert.deepEqual(histogram([-9, -0.5, 0.5, 9, NaN], -1, 1, 2), [0.5, 0.5]);
  assert.deepEqual(histogram([NaN], -1, 1, 2), [0, 0]);
});
