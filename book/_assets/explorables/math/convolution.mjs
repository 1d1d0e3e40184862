// Convolution (as networks mean it: the kernel is not turned round) and pooling of one square picture.

/** Side of the result: ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1. */
export const outputSize = (n, { size: k, stride: s, padding: p, dilation: d }) => Math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1;

/** The places that cell number `at` of the result looks at: [[row, column], ...], outside the picture where padded. */
export function field(n, options, at) {
  const side = outputSize(n, options), { size, stride, padding, dilation } = options;
  const top = Math.floor(at / side) * stride - padding, left = (at % side) * stride - padding;
  return Array.from({ length: size * size }, (_, i) => [top + Math.floor(i / size) * dilation, left + (i % size) * dilation]);
}

/** The picture's value at a place; what lies outside is 0. */
export const look = (picture, n, [row, column]) => (row < 0 || column < 0 || row >= n || column >= n ? 0 : picture[row * n + column]);

/** One cell of the result. mode: "convolution", "max" or "average". */
export function cell(picture, n, kernel, options, at) {
  const seen = field(n, options, at).map((place) => look(picture, n, place));
  if (options.mode === "max") return Math.max(...seen);
  if (options.mode === "average") return seen.reduce((sum, v) => sum + v, 0) / seen.length;
  return seen.reduce((sum, v, i) => sum + v * kernel[i], 0);
}

export function apply(picture, n, kernel, options) {
  return Array.from({ length: outputSize(n, options) ** 2 }, (_, at) => cell(picture, n, kernel, options, at));
}

export const KERNELS = [
  ["vertical", "upright edges", [-1, 0, 1, -2, 0, 2, -1, 0, 1]], ["horizontal", "level edges", [-1, -2, -1, 0, 0, 0, 1, 2, 1]],
  ["blur", "blur", [0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1]], ["sharpen", "sharpen", [0, -1, 0, -1, 5, -1, 0, -1, 0]],
  ["outline", "outline", [-1, -1, -1, -1, 8, -1, -1, -1, -1]], ["identity", "unchanged", [0, 0, 0, 0, 1, 0, 0, 0, 0]],
];
