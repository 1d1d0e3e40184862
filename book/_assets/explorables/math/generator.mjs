// The twin of src/livegrad/lab/generator.py: Threefry-2x32 with 20 rounds, then Box and Muller's transform.
// A number is a function of (seed, stream, index), so both sides build the same network. The test compares them.

const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];

/** Two words of 32 bits for each of `count` counters, one after the other. */
export function threefry2x32(key0, key1, count, first = 0, high = 0) {
  const keys = [key0 | 0, key1 | 0, 0x1bd11bda ^ key0 ^ key1];
  const words = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    let a = (first + i + keys[0]) | 0, b = (high + keys[1]) | 0;
    for (let block = 1; block <= 5; block++) {
      for (const r of ROTATIONS[(block - 1) & 1]) {
        a = (a + b) | 0;
        b = ((b << r) | (b >>> (32 - r))) ^ a;
      }
      a = (a + keys[block % 3]) | 0;
      b = (b + keys[(block + 1) % 3] + block) | 0;
    }
    words[2 * i] = a;
    words[2 * i + 1] = b;
  }
  return words;
}

/** `count` numbers in (0, 1]. */
export function uniform(count, seed, stream = 0) {
  const words = threefry2x32(seed, stream, (count + 1) >> 1);
  return Float64Array.from(words.subarray(0, count), (word) => (word + 1) / 4294967296);
}

/** `count` standard normal numbers. */
export function normal(count, seed, stream = 0) {
  const u = uniform(count + (count & 1), seed, stream);
  for (let i = 0; i < u.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(u[i])), angle = 2 * Math.PI * u[i + 1];
    u[i] = radius * Math.cos(angle);
    u[i + 1] = radius * Math.sin(angle);
  }
  return u.subarray(0, count);
}
