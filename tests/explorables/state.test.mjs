import { test } from "node:test";
import assert from "node:assert/strict";
import { correct, fromSlider, plain, readFragment, readPreset, show, toSlider, writeFragment } from "../../book/_assets/explorables/frame/state.mjs";

const slope = { kind: "number", label: "slope", min: 0, max: 1, step: 0.01, value: 0.1 };
const rate = { kind: "number", label: "rate", min: 1e-4, max: 10, log: true, step: 0.1, value: 0.1 };
const depth = { kind: "number", label: "depth", min: 2, max: 100, step: 1, integer: true, value: 20 };

test("numbers in range are taken as they are, also with a decimal comma or a true minus sign", () => {
  assert.deepEqual(correct(slope, "0.25"), { value: 0.25, note: "" });
  assert.deepEqual(correct(slope, " 0,25 "), { value: 0.25, note: "" });
  assert.equal(correct({ ...slope, min: -1 }, "−0.5").value, -0.5);
  assert.equal(correct(depth, "7.6").value, 8);
});

test("what is out of range becomes the nearest, in words", () => {
  assert.deepEqual(correct(slope, "7"), { value: 1, note: "slope goes from 0 to 1: 7 became 1." });
  assert.deepEqual(correct(slope, "-Infinity"), { value: 0, note: "slope goes from 0 to 1: −∞ became 0." });
});

test("what is no number is put back, in words", () => {
  for (const raw of ["abc", "", "NaN", "1.2.3", "0x"]) {
    const { value, note } = correct(slope, raw);
    assert.equal(value, 0.1);
    assert.match(note, /is not a number, so it is 0\.1 again\.$/);
  }
});

test("choices and switches refuse what they do not offer", () => {
  const choice = { kind: "choice", label: "f", options: [["a", "A"], ["b", "B"]], value: "a" };
  assert.deepEqual(correct(choice, "b"), { value: "b", note: "" });
  assert.deepEqual(correct(choice, "c"), { value: "a", note: "f: there is no “c”, so it is A again." });
  const flag = { kind: "flag", label: "skip", value: false };
  assert.equal(correct(flag, "1").value, true);
  assert.match(correct(flag, "maybe").note, /neither on nor off/);
});

test("a fragment is read back as it was written, beside another's", () => {
  const first = writeFragment("", "a-1", { x: "1e-6", f: "mish" });
  const both = writeFragment(first, "a-2", { x: "-3" });
  assert.deepEqual(readFragment(both, "a-1"), { x: "1e-6", f: "mish" });
  assert.deepEqual(readFragment(both, "a-2"), { x: "-3" });
  assert.deepEqual(readFragment(both, "a"), {});
  assert.deepEqual(readFragment("#fig-mish", "a-1"), {});
  assert.equal(writeFragment(writeFragment(both, "a-1", {}), "a-2", {}), "");
});

test("a preset is words: a bare one for the main control", () => {
  assert.deepEqual(readPreset("mish x=-1.2", "f"), { f: "mish", x: "-1.2" });
  assert.deepEqual(readPreset(null, "f"), {});
});

test("sliders and values agree, over the logarithm too", () => {
  for (const control of [slope, rate, depth]) {
    for (const value of [control.min, control.value, control.max]) {
      assert.ok(Math.abs(fromSlider(control, toSlider(control, value)) - value) < 1e-9 * Math.abs(value) + 1e-12);
    }
  }
  assert.equal(fromSlider(rate, 500), 0.032);
});

test("numbers are shown short and written exact", () => {
  assert.deepEqual([0, 1, -1.19, 0.30000000000000004, 1e-7, 123456, NaN, -Infinity].map((n) => show(n)),
    ["0", "1", "−1.19", "0.3", "1e−7", "1.23e5", "not a number", "−∞"]);
  assert.equal(plain(slope, 0.1 + 0.2), "0.3");
});
