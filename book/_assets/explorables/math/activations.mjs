// The catalogue of activation functions: values and derivatives without overflow and without cancellation.
// At a kink the derivative is torch's. Proven against livegrad (or torch, until a function has its file) by the tests.

const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const sigmoidSlope = (x) => { const t = Math.exp(-Math.abs(x)); return t / (1 + t) ** 2; };
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

const SELU_ALPHA = 1.6732632423543772, SELU_SCALE = 1.0507009873554805;
const GELU_SCALE = Math.sqrt(2 / Math.PI), GELU_CUBIC = 0.044715;

/** 1 − erf(x): the series near 0, else the continued fraction, which keeps the tail's digits. */
export function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2) {
    let term = x, sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
      if (n > 100) break;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let tail = 0;
  for (let k = Math.ceil(14 + 200 / (x * x)); k >= 1; k--) tail = k / 2 / (x + tail); // more terms change no digit
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + tail);
}

const normalBelow = (x) => erfc(-x / Math.SQRT2) / 2;
const normalDensity = (x) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

function mishParts(x) {
  const t = Math.exp(Math.min(x, 21)); // at 21 the derivative is 1 to the last bit
  return { b: t + t * t / 2, db: t + t * t };
}

const number = (name, html, label, min, max, value, step = 0.01) => ({ name, html, label, min, max, value, step });
const ALPHA = number("alpha", "<i>α</i>", "alpha", 0.05, 3, 1);

/**
 * name: as in torch or livegrad. f, slope: value and derivative of (x, parameter). code: Python for torch where the
 * name is not in torch.nn.functional, with the names that it needs. color: a key of the palette.
 */
export const ACTIVATIONS = [
  { name: "relu", label: "ReLU", color: "relu", f: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : 0) },
  { name: "leaky_relu", label: "Leaky ReLU", color: "good", parameter: number("negative_slope", "slope", "negative slope", 0, 1, 0.01),
    f: (x, a) => (x > 0 ? x : a * x), slope: (x, a) => (x > 0 ? 1 : a) },
  { name: "relu6", label: "ReLU6", color: "relu", f: (x) => clamp(x, 0, 6), slope: (x) => (x > 0 && x < 6 ? 1 : 0) },
  { name: "squared_relu", label: "Squared ReLU", color: "relu", f: (x) => Math.max(x, 0) ** 2, slope: (x) => 2 * Math.max(x, 0),
    code: "def squared_relu(x):\n    return torch.relu(x) ** 2" },
  { name: "elu", label: "ELU", color: "bad", parameter: ALPHA, f: (x, a) => (x > 0 ? x : a * Math.expm1(x)), slope: (x, a) => (x > 0 ? 1 : a * Math.exp(x)) },
  { name: "celu", label: "CELU", color: "bad", parameter: ALPHA, f: (x, a) => (x > 0 ? x : a * Math.expm1(x / a)), slope: (x, a) => (x > 0 ? 1 : Math.exp(x / a)) },
  { name: "selu", label: "SELU", color: "silu", f: (x) => SELU_SCALE * (x > 0 ? x : SELU_ALPHA * Math.expm1(x)), slope: (x) => SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x)) },
  { name: "softplus", label: "Softplus", color: "linear", parameter: number("beta", "<i>β</i>", "beta", 0.1, 5, 1),
    f: (x, b) => softplus(b * x) / b, slope: (x, b) => sigmoid(b * x) },
  { name: "squareplus", label: "Squareplus", color: "bad", parameter: number("b", "<i>b</i>", "b", 0.01, 10, 4),
    f: (x, b) => { const r = Math.sqrt(x * x + b); return x > 0 ? (x + r) / 2 : b / (2 * (r - x)); },
    slope: (x, b) => { const r = Math.sqrt(x * x + b); return x > 0 ? (1 + x / r) / 2 : b / (2 * r * (r - x)); },
    code: "def squareplus(x, b=4.0):\n    return (x + (x * x + b).sqrt()) / 2" },
  { name: "silu", label: "SiLU (Swish, β = 1)", color: "silu", f: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) + x * sigmoidSlope(x) },
  { name: "swish", label: "Swish-β", color: "good", parameter: number("beta", "<i>β</i>", "beta", 0, 5, 1),
    f: (x, b) => x * sigmoid(b * x), slope: (x, b) => sigmoid(b * x) + b * x * sigmoidSlope(b * x),
    code: "def swish(x, beta=1.0):\n    return x * torch.sigmoid(beta * x)" },
  { name: "hardswish", label: "Hard swish", color: "bad", f: (x) => (x * clamp(x + 3, 0, 6)) / 6, slope: (x) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1) },
  { name: "gelu", label: "GELU", color: "gelu", f: (x) => x * normalBelow(x), slope: (x) => normalBelow(x) + x * normalDensity(x) },
  { name: "gelu_tanh", label: "GELU (tanh approximation)", color: "gelu", call: ["gelu", 'approximate="tanh"'],
    f: (x) => x * sigmoid(2 * GELU_SCALE * (x + GELU_CUBIC * x ** 3)),
    slope: (x) => {
      const u = 2 * GELU_SCALE * (x + GELU_CUBIC * x ** 3);
      return sigmoid(u) + x * sigmoidSlope(u) * 2 * GELU_SCALE * (1 + 3 * GELU_CUBIC * x * x);
    } },
  { name: "mish", label: "Mish", color: "mish",
    f: (x) => { const { b } = mishParts(x); return x > 21 ? x : (x * b) / (1 + b); },
    slope: (x) => { const z = Math.min(x, 21), { b, db } = mishParts(z); return (b + (z * db) / (1 + b)) / (1 + b); } },
  { name: "sigmoid", label: "Sigmoid", color: "sigmoid", f: sigmoid, slope: sigmoidSlope },
  { name: "hardsigmoid", label: "Hard sigmoid", color: "sigmoid", f: (x) => clamp(x / 6 + 0.5, 0, 1), slope: (x) => (x > -3 && x < 3 ? 1 / 6 : 0) },
  { name: "tanh", label: "Tanh", color: "tanh", f: Math.tanh, slope: (x) => 4 * sigmoidSlope(2 * x) },
  { name: "hardtanh", label: "Hard tanh", color: "tanh", f: (x) => clamp(x, -1, 1), slope: (x) => (x > -1 && x < 1 ? 1 : 0) },
  { name: "softsign", label: "Softsign", color: "tanh", f: (x) => x / (1 + Math.abs(x)), slope: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  { name: "linear", label: "Linear", color: "linear", f: (x) => x, slope: () => 1, code: "def linear(x):\n    return 1 * x" },
];

export const find = (name) => ACTIVATIONS.find((entry) => entry.name === name);

// Gauss and Legendre's rule of 8 points on [-1, 1]: nodes and weights, by Newton's method on the polynomial.
const [NODES, WEIGHTS] = (() => {
  const n = 8, nodes = [], weights = [];
  for (let i = 1; i <= n; i++) {
    let x = Math.cos((Math.PI * (i - 0.25)) / (n + 0.5)), slope = 1;
    for (let round = 0; round < 50; round++) {
      let p = 1, before = 0;
      for (let k = 1; k <= n; k++) [p, before] = [((2 * k - 1) * x * p - (k - 1) * before) / k, p];
      slope = (n * (x * p - before)) / (x * x - 1);
      x -= p / slope;
    }
    nodes.push(x);
    weights.push(2 / ((1 - x * x) * slope * slope));
  }
  return [nodes, weights];
})();

/** E[g(z)] for a standard normal z. The panels end where the catalogue has its kinks: at multiples of ¼. */
export function expectation(g) {
  let sum = 0;
  const half = 0.125;
  for (let middle = -12 + half; middle < 12; middle += 2 * half) {
    for (let i = 0; i < NODES.length; i++) {
      const z = middle + half * NODES[i];
      sum += half * WEIGHTS[i] * g(z) * normalDensity(z);
    }
  }
  return sum;
}

/** 1 / √E[f(z)²]: the factor on the weights that keeps the size of the signal. */
export const gain = (f) => 1 / Math.sqrt(expectation((z) => f(z) ** 2));

/**
 * Parts of [low, high] where the slope is smaller than the limit, as [[from, to], ...]. A minimum or maximum, where the
 * slope passes through zero and is larger again on both sides, is no saturation and is left out.
 */
export function saturated(slope, low, high, limit, points = 481) {
  const parts = [];
  const at = (i) => low + ((high - low) * i) / (points - 1);
  for (let i = 0; i < points; i++) {
    if (!(Math.abs(slope(at(i))) < limit)) continue;
    const last = parts.at(-1);
    if (last && i - last.to === 1) last.to = i; else parts.push({ from: i, to: i });
  }
  const passes = ({ from, to }) => from > 0 && to < points - 1 && slope(at(from)) * slope(at(to)) < 0;
  return parts.filter((part) => part.to > part.from && !passes(part)).map(({ from, to }) => [at(from), at(to)]);
}
