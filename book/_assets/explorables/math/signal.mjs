// A deep network at its first step: what becomes of a signal on the way up, and of a gradient on the way down.
//
// h₀ = normal numbers of stream 0. Layer l: a = W h with W from stream l, normalized if asked for, then f, then h added
// again if the layer is skipped. The gradient of the last layer is normal, from the stream after the last layer: what a
// random linear read-out would send back. Sums are exact (float64); what is kept is rounded to the chosen format.
import { find, gain } from "./activations.mjs";
import { normal, uniform } from "./generator.mjs";

export const BATCH = 32;
const EPS = 1e-5;

/** To float16: 11 significant bits, the smallest step 2⁻²⁴, beyond 65504 infinity. */
export function half(x) {
  const size = Math.abs(x);
  if (!(size < 65520)) return Number.isNaN(x) ? NaN : Math.sign(x) * Infinity;
  const step = size < 2 ** -14 ? 2 ** -24 : 2 ** (Math.floor(Math.log2(size)) - 10);
  const low = Math.floor(size / step), rest = size / step - low;
  const up = rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? 1 : 0;
  return Math.sign(x) * (low + up) * step;
}

const FORMATS = { float64: null, float32: Math.fround, float16: half };
function store(values, format) {
  const round = FORMATS[format];
  if (round) for (let i = 0; i < values.length; i++) values[i] = round(values[i]);
  return values;
}

/** Rows made orthonormal one after another, twice over so that rounding does not matter. */
function orthogonal(w, n) {
  for (let i = 0; i < n; i++) {
    const row = w.subarray(i * n, (i + 1) * n);
    for (let round = 0; round < 2; round++) {
      for (let j = 0; j < i; j++) {
        const other = w.subarray(j * n, (j + 1) * n);
        let dot = 0;
        for (let k = 0; k < n; k++) dot += row[k] * other[k];
        for (let k = 0; k < n; k++) row[k] -= dot * other[k];
      }
    }
    let size = 0;
    for (let k = 0; k < n; k++) size += row[k] * row[k];
    size = Math.sqrt(size);
    for (let k = 0; k < n; k++) row[k] /= size;
  }
  return w;
}

/** Initializers and their names. */
export const INITIALIZERS = [
  ["zeros", "zeros"], ["normal", "normal, σ chosen"], ["lecun", "LeCun: variance 1/n"], ["xavier", "Xavier, uniform"],
  ["kaiming", "Kaiming: variance 2/n"], ["gain", "gain² / n, gain of the activation"], ["orthogonal", "orthogonal"], ["lsuv", "LSUV"],
];

function weights({ init, sigma, width: n, seed }, layer, activationGain) {
  if (init === "zeros") return new Float64Array(n * n);
  if (init === "xavier") {
    const bound = Math.sqrt(6 / (n + n));
    return uniform(n * n, seed, layer).map((u) => bound * (2 * u - 1));
  }
  const w = normal(n * n, seed, layer);
  if (init === "orthogonal" || init === "lsuv") return orthogonal(w, n);
  const std = { normal: sigma, lecun: 1 / Math.sqrt(n), kaiming: Math.sqrt(2 / n), gain: activationGain / Math.sqrt(n) }[init];
  return w.map((z) => std * z);
}

function meanAndStd(values) {
  let mean = 0, square = 0;
  for (const v of values) mean += v / values.length;
  for (const v of values) square += (v - mean) ** 2 / values.length;
  return [mean, Math.sqrt(square)];
}
const rms = (values) => Math.sqrt(values.reduce((sum, v) => sum + (v * v) / values.length, 0));

/** Groups whose mean and variance are taken together: one for each example (layer) or for each unit (batch). */
function* groups(norm, n) {
  if (norm === "layer") for (let b = 0; b < BATCH; b++) yield Array.from({ length: n }, (_, k) => b * n + k);
  if (norm === "batch") for (let k = 0; k < n; k++) yield Array.from({ length: BATCH }, (_, b) => b * n + k);
}

/** Settings {depth, width, activation, init, sigma, skip, norm, format, seed} -> {forward, backward, hidden, gradients}. */
export function propagate(settings) {
  const { depth, width: n, activation, init, skip, norm, format, seed } = settings;
  const { f, slope, parameter } = find(activation), p = parameter?.value, all = [...groups(norm, n)];
  const activationGain = init === "gain" ? gain((x) => f(x, p)) : 0;
  const count = BATCH * n, layers = [], hidden = [];
  let h = store(normal(count, seed, 0), format);
  for (let l = 1; l <= depth; l++) {
    const w = store(weights(settings, l, activationGain), format), a = new Float64Array(count);
    for (let b = 0; b < BATCH; b++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += w[i * n + k] * h[b * n + k];
        a[b * n + i] = sum;
      }
    }
    if (init === "lsuv") {
      const scale = 1 / meanAndStd(a)[1];
      for (let i = 0; i < a.length; i++) a[i] *= scale;
      for (let i = 0; i < w.length; i++) w[i] *= scale;
    }
    const scales = all.map((group) => {
      let mean = 0, variance = 0;
      for (const i of group) mean += a[i] / group.length;
      for (const i of group) variance += (a[i] - mean) ** 2 / group.length;
      const scale = 1 / Math.sqrt(variance + EPS);
      for (const i of group) a[i] = (a[i] - mean) * scale;
      return scale;
    });
    layers.push({ w, a, scales });
    h = store(a.map((v, i) => f(v, p) + (skip ? h[i] : 0)), format);
    hidden.push(h);
  }
  const gradients = new Array(depth);
  let g = normal(count, seed, depth + 1);
  for (let l = depth; l >= 1; l--) {
    g = store(g, format);
    gradients[l - 1] = g;
    const { w, a, scales } = layers[l - 1], d = g.map((v, i) => v * slope(a[i], p));
    all.forEach((group, at) => {
      let mean = 0, along = 0;
      for (const i of group) { mean += d[i] / group.length; along += (d[i] * a[i]) / group.length; }
      for (const i of group) d[i] = scales[at] * (d[i] - mean - a[i] * along);
    });
    const next = skip ? g.slice() : new Float64Array(count);
    for (let b = 0; b < BATCH; b++) {
      for (let i = 0; i < n; i++) {
        const di = d[b * n + i];
        if (di !== 0) for (let k = 0; k < n; k++) next[b * n + k] += di * w[i * n + k];
      }
    }
    g = next;
  }
  return { forward: hidden.map((values) => meanAndStd(values)[1]), backward: gradients.map(rms), hidden, gradients };
}

/** Shares of the values in `bins` equal bins of [low, high]; what lies outside counts in the first and the last. */
export function histogram(values, low, high, bins) {
  const counts = new Array(bins).fill(0);
  let kept = 0;
  for (const v of values) {
    if (Number.isNaN(v)) continue;
    counts[Math.min(bins - 1, Math.max(0, Math.floor((bins * (v - low)) / (high - low))))] += 1;
    kept += 1;
  }
  return counts.map((c) => c / (kept || 1));
}

export const BINS = 61, REACH = 4, DECADES = [-14, 6];

/** What a page draws: sizes and histograms, the gradients' over the logarithm of their size. */
export function report(settings) {
  const { forward, backward, hidden, gradients } = propagate(settings);
  return {
    forward, backward,
    shapes: hidden.map((h) => histogram(h, -REACH, REACH, BINS)),
    sizes: gradients.map((g) => histogram(g.filter((v) => v !== 0).map((v) => Math.log10(Math.abs(v))), ...DECADES, BINS)),
    dead: hidden.map((h) => h.every((v) => v === 0)),
  };
}
