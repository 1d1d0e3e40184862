import { test } from "node:test";
import assert from "node:assert/strict";
import { descend, largestStableRate, OPTIMIZERS, surface, SURFACES } from "../../book/_assets/explorables/math/descent.mjs";
import { close, reference } from "./reference.mjs";

for (const { name, points, values, slopes, rate, minimum } of reference.surfaces) {
  test(`${name}: values, slopes and the largest stable rate are Python's`, () => {
    const place = surface(name);
    close(points.map(([x, y]) => place.f(x, y)), values, "value", 1e-6, 1e-12);
    close(points.map(([x, y]) => place.slope(x, y)), slopes, "slope", 1e-6, 1e-12);
    close(largestStableRate(place), rate, "rate");
    close(place.f(...place.minimum), minimum, "at the minimum", 1e-6, 1e-12);
  });
}

for (const { surface: name, start, options, noise, path } of reference.races) {
  test(`${options.name} on ${name}${noise ? " with noise" : ""}: each step is Python's`, () => {
    const { points } = descend(surface(name), start, options, path.length - 1, noise);
    close(points, path, options.name, 1e-6, 1e-9);
  });
}

test("everything that can be chosen is compared", () => {
  assert.deepEqual(reference.surfaces.map(({ name }) => name), SURFACES.map(({ name }) => name));
  const raced = new Set(reference.races.map(({ surface: name, options }) => `${name} ${options.name}`));
  assert.equal(raced.size, SURFACES.length * OPTIMIZERS.length);
});

test("just below the largest stable rate a quadratic converges, just above it diverges", () => {
  for (const place of SURFACES.filter(({ quadratic }) => quadratic)) {
    for (const [name, beta] of [["sgd", 0], ["momentum", 0.5]]) {
      const limit = largestStableRate(place, beta);
      const end = (lr) => descend(place, place.start, { name, lr, beta }, 20000);
      assert.ok(end(0.99 * limit).values.at(-1) < 1e-3, `${name} on ${place.name} below`);
      assert.ok(end(1.01 * limit).diverged > 0, `${name} on ${place.name} above`);
    }
  }
});

test("a path that is lost ends there, and the first arrival counts", () => {
  const lost = descend(surface("ravine"), [-3.5, 1], { name: "sgd", lr: 1 }, 500);
  assert.equal(lost.diverged, lost.points.length - 1);
  assert.ok(lost.diverged < 30);
  const home = descend(surface("bowl"), [1, 1], { name: "sgd", lr: 0.5 }, 100);
  assert.equal(home.arrived, home.values.findIndex((v) => v <= 1e-6));
  assert.equal(home.points.length, 101);
});
