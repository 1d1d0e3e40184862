// Softmax in float32, written naively and so that it cannot overflow; every operation is rounded as float32 rounds it.
const f32 = Math.fround;

/** Largest x whose exponential float32 can hold: ln(3.4028235e38). */
export const LARGEST = Math.log((2 - 2 ** -23) * 2 ** 127);

/** {scaled, powers, sum, shares}: z/T, e^(z/T), their sum and e^(z/T) / sum, all in float32. */
export function naive(logits, temperature) {
  const scaled = logits.map((z) => f32(f32(z) / f32(temperature)));
  return finish(scaled, scaled.map((z) => f32(Math.exp(z))));
}

/** The same with the largest z/T taken away first, which changes nothing but the range. */
export function stable(logits, temperature) {
  const scaled = logits.map((z) => f32(f32(z) / f32(temperature)));
  const largest = Math.max(...scaled);
  return finish(scaled, scaled.map((z) => f32(Math.exp(f32(z - largest)))));
}

function finish(scaled, powers) {
  const sum = powers.reduce((total, power) => f32(total + power), 0);
  return { scaled, powers, sum, shares: powers.map((power) => f32(power / sum)) };
}

/** −Σ p log₂ p: how undecided the shares are, from 0 to log₂ of their number. */
export const entropy = (shares) => -shares.reduce((total, p) => total + (p > 0 ? p * Math.log2(p) : 0), 0) || 0;
