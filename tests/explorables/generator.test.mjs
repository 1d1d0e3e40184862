import { test } from "node:test";
import assert from "node:assert/strict";
import { normal, threefry2x32, uniform } from "../../book/_assets/explorables/math/generator.mjs";
import { close, reference } from "./reference.mjs";

for (const { seed, stream, uniforms, normals } of reference.draws) {
  test(`seed ${seed}, stream ${stream}: the numbers are Python's`, () => {
    assert.deepEqual([...uniform(uniforms.length, seed, stream)], uniforms); // to the last bit
    close([...normal(normals.length, seed, stream)], normals, "normal");
  });
}

test("the words are the authors' known answers", () => {
  const word = (value) => value.toString(16).padStart(8, "0");
  const answer = (key, low, high) => [...threefry2x32(...key, 1, low, high)].map(word).join(" ");
  assert.equal(answer([0, 0], 0, 0), "6b200159 99ba4efe");
  assert.equal(answer([-1, -1], -1, -1), "1cb996fc bb002be7");
  assert.equal(answer([0x13198a2e, 0x03707344], 0x243f6a88, 0x85a308d3), "c4923a9c 483df7a0");
});
