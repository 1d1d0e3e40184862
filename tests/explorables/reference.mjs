// What Python computed for these tests, and the comparison with it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const reference = JSON.parse(readFileSync(process.env.REFERENCE, "utf8"));

/** Equal to 1e-6 relative, unless told otherwise; where the true value is 0, equal to `absolute`. */
export function close(found, expected, message = "", relative = 1e-6, absolute = 1e-15) {
  if (Array.isArray(expected)) {
    assert.equal(found.length, expected.length, `${message}: length`);
    expected.forEach((value, i) => close(found[i], value, `${message}[${i}]`, relative, absolute));
    return;
  }
  const far = Math.abs(found - expected);
  assert.ok(far <= relative * Math.abs(expected) + absolute, `${message}: ${found}, but Python has ${expected}`);
}
