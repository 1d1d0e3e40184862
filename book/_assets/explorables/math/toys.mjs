// The twin of src/livegrad/lab/toys.py: small two-dimensional data sets.
import { normal, uniform } from "./generator.mjs";

export const TOYS = [["moons", "two moons"], ["circles", "two circles"], ["xor", "opposite quarters (XOR)"], ["spirals", "two spirals"]];

/** {x: [x₀, y₀, x₁, y₁, ...], y: classes 0 or 1}. */
export function toy(name, count, noise, seed) {
  const x = new Float64Array(2 * count), y = new Float64Array(count);
  const places = name === "xor" ? uniform(2 * count, seed, 0) : null, z = normal(2 * count, seed, 1);
  for (let i = 0; i < count; i++) {
    const t = ((i >> 1) + 0.5) / (count >> 1);
    let c = i % 2, a, b;
    if (name === "moons") {
      a = (1 - 2 * c) * Math.cos(Math.PI * t) + c - 0.5;
      b = (1 - 2 * c) * Math.sin(Math.PI * t) + c / 2 - 0.25;
    } else if (name === "circles") {
      [a, b] = [Math.cos(2 * Math.PI * t), Math.sin(2 * Math.PI * t)].map((v) => (1 - 0.55 * c) * v);
    } else if (name === "spirals") {
      const angle = 3 * Math.PI * t + Math.PI * c;
      [a, b] = [Math.cos(angle), Math.sin(angle)].map((v) => (0.1 + 1.1 * t) * v);
    } else {
      [a, b] = [1.2 * (2 * places[2 * i] - 1), 1.2 * (2 * places[2 * i + 1] - 1)];
      c = a * b > 0 ? 1 : 0;
    }
    x[2 * i] = a + noise * z[2 * i];
    x[2 * i + 1] = b + noise * z[2 * i + 1];
    y[i] = c;
  }
  return { x, y };
}
