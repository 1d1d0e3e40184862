// Stands in for d3-interpolate in the bundles: our scales map numbers, so its colors and dates (a fifth of the script)
// need not be loaded.
export const interpolateNumber = (a, b) => (t) => a * (1 - t) + b * t;
export const interpolateRound = (a, b) => (t) => Math.round(a * (1 - t) + b * t);
export const interpolate = interpolateNumber;
export const piecewise = () => { throw new Error("only scales of numbers are bundled"); };
