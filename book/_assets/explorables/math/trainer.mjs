// A small multilayer perceptron that learns two classes by gradient descent on all examples at once.
//
// Weights: normal numbers of stream 10 + layer (from 0) times √(2 / inputs); biases 0. One output, the logit of class 1;
// loss: the mean of log(1 + e^z) − y z.
import { find } from "./activations.mjs";
import { normal } from "./generator.mjs";

const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

export class Trainer {
  /** sizes: [2, ..., 1]; data: {x, y}. `losses` holds the loss before each step. */
  constructor(sizes, seed, data) {
    Object.assign(this, { sizes, data, losses: [], t: 0 });
    this.layers = sizes.slice(1).map((outputs, l) => {
      const inputs = sizes[l], scale = Math.sqrt(2 / inputs);
      return { inputs, outputs, w: normal(inputs * outputs, seed, 10 + l).map((z) => scale * z), b: new Float64Array(outputs) };
    });
  }

  /** Sums and activations of every layer for points [x₀, y₀, x₁, ...]. */
  forward(x, activation) {
    const { f, parameter } = find(activation), p = parameter?.value, count = x.length / this.sizes[0];
    let h = x;
    return this.layers.map(({ inputs, outputs, w, b }, l) => {
      const a = new Float64Array(count * outputs), below = h;
      for (let n = 0; n < count; n++) {
        for (let i = 0; i < outputs; i++) {
          let sum = b[i];
          for (let k = 0; k < inputs; k++) sum += w[i * inputs + k] * below[n * inputs + k];
          a[n * outputs + i] = sum;
        }
      }
      h = a;
      if (l < this.layers.length - 1) {
        h = new Float64Array(a.length);
        for (let j = 0; j < a.length; j++) h[j] = f(a[j], p);
      }
      return { a, h, below };
    });
  }

  loss(z) {
    return z.reduce((sum, v, n) => sum + softplus(v) - this.data.y[n] * v, 0) / z.length;
  }

  /** One step of gradient descent; returns the loss before it. */
  step(lr, activation) {
    const { slope, parameter } = find(activation), p = parameter?.value, { x, y } = this.data, count = y.length;
    const passes = this.forward(x, activation), z = passes.at(-1).a, loss = this.loss(z);
    let d = z.map((v, n) => (sigmoid(v) - y[n]) / count);
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, w, b } = this.layers[l], { below } = passes[l];
      const next = new Float64Array(count * inputs), dw = new Float64Array(w.length), db = new Float64Array(outputs);
      for (let n = 0; n < count; n++) {
        for (let i = 0; i < outputs; i++) {
          const di = d[n * outputs + i];
          if (di === 0) continue;
          db[i] += di;
          for (let k = 0; k < inputs; k++) {
            dw[i * inputs + k] += di * below[n * inputs + k];
            next[n * inputs + k] += di * w[i * inputs + k];
          }
        }
      }
      for (let i = 0; i < w.length; i++) w[i] -= lr * dw[i];
      for (let i = 0; i < outputs; i++) b[i] -= lr * db[i];
      if (l > 0) d = next.map((v, i) => v * slope(passes[l - 1].a[i], p));
    }
    this.losses.push(loss);
    this.t += 1;
    return loss;
  }

  /** {loss, accuracy, dead}: dead counts, in each hidden layer, the units whose slope is 0 for every example. */
  report(activation) {
    const { slope, parameter } = find(activation), { x, y } = this.data, passes = this.forward(x, activation), z = passes.at(-1).a;
    const dead = this.layers.slice(0, -1).map(({ outputs }, l) => {
      let count = 0;
      for (let i = 0; i < outputs; i++) {
        let alive = false;
        for (let n = 0; n < y.length && !alive; n++) alive = slope(passes[l].a[n * outputs + i], parameter?.value) !== 0;
        if (!alive) count += 1;
      }
      return count;
    });
    return { loss: this.loss(z), accuracy: z.filter((v, n) => (v > 0 ? 1 : 0) === y[n]).length / y.length, dead };
  }
}

/** "120:0.1:relu;300:0.5:tanh": up to which step which rate and activation were used before the present ones. */
export function readCourse(text) {
  return text ? text.split(";").map((part) => { const [end, lr, activation] = part.split(":"); return { end: Number(end), lr: Number(lr), activation }; }) : [];
}
export const writeCourse = (parts) => parts.map(({ end, lr, activation }) => `${end}:${lr}:${activation}`).join(";");
