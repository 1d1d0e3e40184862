import { test } from "node:test";
import assert from "node:assert/strict";
import { apply, field, KERNELS, outputSize } from "../../book/_assets/explorables/math/convolution.mjs";
import { close, reference } from "./reference.mjs";

for (const { digit, kernel, options, side, result } of reference.cases) {
  const name = Object.entries(options).map(([key, value]) => `${key} ${value}`).join(", ");
  test(`digit ${digit}, ${name}: size and values are Python's`, () => {
    assert.equal(outputSize(8, options), side);
    close(apply(reference.digits[digit], 8, kernel, options), result, "cell", 1e-6, 1e-12);
  });
}

test("the digits offered to the page are scikit-learn's", () => {
  assert.equal(reference.digits.length, 10);
  reference.digits.forEach((picture, i) => assert.deepEqual(picture, reference.pictures[i]));
});

test("every kernel of the list is compared", () => {
  for (const [name, , kernel] of KERNELS) {
    assert.ok(reference.cases.some((one) => JSON.stringify(one.kernel) === JSON.stringify(kernel)), name);
  }
});

test("a receptive field is spread by dilation and reaches into the padding", () => {
  const options = { mode: "convolution", size: 3, stride: 2, padding: 1, dilation: 2 };
  assert.deepEqual(field(8, options, 0).at(0), [-1, -1]);
  assert.deepEqual(field(8, options, 0).at(-1), [3, 3]);
});
