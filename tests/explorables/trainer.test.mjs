import { test } from "node:test";
import assert from "node:assert/strict";
import { toy, TOYS } from "../../book/_assets/explorables/math/toys.mjs";
import { readCourse, Trainer, writeCourse } from "../../book/_assets/explorables/math/trainer.mjs";
import { close, reference } from "./reference.mjs";

for (const { name, count, noise, seed, x, y } of reference.toys) {
  test(`${name}, seed ${seed}: the points are Python's`, () => {
    const data = toy(name, count, noise, seed);
    close([...data.x], x, "x", 1e-6, 1e-12);
    assert.deepEqual([...data.y], y);
  });
}

for (const { name, sizes, seed, activation, lr, losses, accuracy, dead } of reference.runs) {
  test(`${activation} on ${name}, ${sizes.join("-")}: each loss is Python's`, () => {
    const trainer = new Trainer(sizes, seed, toy(name, 160, 0.1, seed));
    for (let t = 0; t < losses.length - 1; t++) trainer.step(lr, activation);
    const report = trainer.report(activation);
    close([...trainer.losses, report.loss], losses, "loss");
    assert.equal(report.accuracy, accuracy);
    assert.deepEqual(report.dead, dead);
  });
}

test("every data set is compared, and one network has dead units", () => {
  assert.deepEqual([...new Set(reference.toys.map(({ name }) => name))], TOYS.map(([name]) => name));
  assert.ok(reference.runs.some(({ dead }) => dead.some((count) => count > 0)));
});

test("a course is read back as it was written", () => {
  const parts = [{ end: 120, lr: 0.1, activation: "relu" }, { end: 300, lr: 1e-3, activation: "tanh" }];
  assert.deepEqual(readCourse(writeCourse(parts)), parts);
  assert.deepEqual(readCourse(""), []);
});
