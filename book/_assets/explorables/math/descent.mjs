// Surfaces, optimizers and the paths they take. Optimizers follow torch's conventions to the letter; every surface is
// shifted so that its smallest value is 0. Proven against livegrad (or torch) step by step.
import { normal } from "./generator.mjs";

export const RAVINE = 25; // the steep direction is this many times as curved as the flat one

/** f, slope: value and gradient at (x, y). rates: to begin with, of gradient descent and of momentum. steepest: largest eigenvalue of the Hessian at the minimum. code: f in Python. */
export const SURFACES = [
  { name: "bowl", label: "Bowl", domain: [[-4, 4], [-2.5, 2.5]], start: [-3, 1.5], rates: [0.2, 0.05], minimum: [0, 0], steepest: 1, quadratic: true,
    f: (x, y) => (x * x + y * y) / 2, slope: (x, y) => [x, y], code: "(x**2 + y**2) / 2" },
  { name: "ravine", label: "Ravine", domain: [[-4, 4], [-2.5, 2.5]], start: [-3.5, 1], rates: [0.05, 0.02], minimum: [0, 0], steepest: RAVINE, quadratic: true,
    f: (x, y) => (x * x + RAVINE * y * y) / 2, slope: (x, y) => [x, RAVINE * y], code: `(x**2 + ${RAVINE} * y**2) / 2` },
  { name: "saddle", label: "Saddle between two valleys", domain: [[-3, 3], [-1.9, 1.9]], start: [-2.5, 0.01], rates: [0.1, 0.05], minimum: [0, 1], steepest: 2,
    f: (x, y) => x * x / 2 - y * y / 2 + y ** 4 / 4 + 0.25, slope: (x, y) => [x, y ** 3 - y], code: "x**2 / 2 - y**2 / 2 + y**4 / 4 + 0.25" },
  { name: "rosenbrock", label: "Rosenbrock's valley", domain: [[-2, 2], [-0.75, 1.75]], start: [-1.5, 1.2], rates: [0.0005, 0.0002], minimum: [1, 1], steepest: 501 + Math.sqrt(250601),
    f: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    slope: (x, y) => [2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)], code: "(1 - x)**2 + 100 * (y - x**2)**2" },
  { name: "beale", label: "Beale's plain", domain: [[-4.5, 4.5], [-2.8, 2.8]], start: [1, 1.8], rates: [0.003, 0.001], minimum: [3, 0.5], steepest: (1577 + Math.sqrt(2426449)) / 64,
    f: (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y ** 3) ** 2,
    slope: (x, y) => {
      const a = 1.5 - x + x * y, b = 2.25 - x + x * y * y, c = 2.625 - x + x * y ** 3;
      return [2 * a * (y - 1) + 2 * b * (y * y - 1) + 2 * c * (y ** 3 - 1), 2 * a * x + 4 * b * x * y + 6 * c * x * y * y];
    },
    code: "(1.5 - x + x * y)**2 + (2.25 - x + x * y**2)**2 + (2.625 - x + x * y**3)**2" },
  { name: "noisy", label: "Ravine with noisy gradients", domain: [[-4, 4], [-2.5, 2.5]], start: [-3.5, 1], rates: [0.02, 0.005], minimum: [0, 0], steepest: RAVINE, noisy: true, quadratic: true,
    f: (x, y) => (x * x + RAVINE * y * y) / 2, slope: (x, y) => [x, RAVINE * y], code: `(x**2 + ${RAVINE} * y**2) / 2` },
];

export const surface = (name) => SURFACES.find((one) => one.name === name);

/** Each `start(options)` gives a step: (gradient, t from 1) -> what is added to the position; one number at a time. */
export const OPTIMIZERS = [
  { name: "sgd", label: "Gradient descent", lr: 0.05, torch: ["SGD", {}], start: ({ lr }) => () => (g) => -lr * g },
  { name: "momentum", label: "Momentum", lr: 0.02, beta: 0.9, torch: ["SGD", { momentum: "beta" }],
    start: ({ lr, beta }) => () => { let b = 0; return (g) => { b = beta * b + g; return -lr * b; }; } },
  { name: "nesterov", label: "Nesterov", lr: 0.02, beta: 0.9, torch: ["SGD", { momentum: "beta", nesterov: true }],
    start: ({ lr, beta }) => () => { let b = 0; return (g) => { b = beta * b + g; return -lr * (g + beta * b); }; } },
  { name: "adagrad", label: "Adagrad", lr: 0.5, torch: ["Adagrad", {}],
    start: ({ lr }) => () => { let s = 0; return (g) => { s += g * g; return (-lr * g) / (Math.sqrt(s) + 1e-10); }; } },
  { name: "rmsprop", label: "RMSprop", lr: 0.05, beta: 0.99, torch: ["RMSprop", { alpha: "beta" }],
    start: ({ lr, beta }) => () => { let v = 0; return (g) => { v = beta * v + (1 - beta) * g * g; return (-lr * g) / (Math.sqrt(v) + 1e-8); }; } },
  { name: "adam", label: "Adam", lr: 0.2, beta: 0.9, torch: ["Adam", { betas: "pair" }],
    start: ({ lr, beta }) => () => {
      let m = 0, v = 0;
      return (g, t) => {
        m = beta * m + (1 - beta) * g;
        v = 0.999 * v + 0.001 * g * g;
        return ((-lr / (1 - beta ** t)) * m) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
      };
    } },
];

export const optimizer = (name) => OPTIMIZERS.find((one) => one.name === name);

export const FAR = 1e6; // a path this far out, or this high up, does not come back
export const NEAR = 1e-6; // a value this small counts as the bottom

/**
 * The path of one optimizer: {points: [[x, y], ...], values, diverged, arrived}; the last two are the numbers of steps
 * after which it was lost or at the bottom, or -1. A lost path ends there. noise: {scale, seed} is added to gradients.
 */
export function descend(place, begin, { name, ...options }, steps, noise = null) {
  const fresh = optimizer(name).start(options), moves = [fresh(), fresh()];
  const z = noise && normal(2 * steps, noise.seed);
  let [x, y] = begin;
  const points = [[x, y]], values = [place.f(x, y)];
  let arrived = values[0] <= NEAR ? 0 : -1;
  for (let t = 1; t <= steps; t++) {
    const [gx, gy] = place.slope(x, y), k = 2 * (t - 1);
    x += moves[0](gx + (z ? noise.scale * z[k] : 0), t);
    y += moves[1](gy + (z ? noise.scale * z[k + 1] : 0), t);
    const value = place.f(x, y);
    points.push([x, y]);
    values.push(value);
    if (!(Math.hypot(x, y) < FAR && value < FAR * FAR)) return { points, values, diverged: t, arrived: -1 };
    if (arrived < 0 && value <= NEAR) arrived = t;
  }
  return { points, values, diverged: -1, arrived };
}

/** 2 (1 + β) / λ_max: near the minimum a smaller rate converges, a larger one does not. β is 0 for gradient descent. */
export const largestStableRate = (place, beta = 0) => (2 * (1 + beta)) / place.steepest;
