// Activations on the way up and gradients on the way down a deep network, layer by layer.
import { Chart, power } from "./frame/chart.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { COLORS } from "./frame/palette.mjs";
import { show } from "./frame/state.mjs";
import { Background } from "./frame/worker.mjs";
import { ACTIVATIONS } from "./math/activations.mjs";
import { BATCH, BINS, DECADES, INITIALIZERS, REACH, report } from "./math/signal.mjs";
import { snippet } from "./math/signal_snippet.mjs";

const FORMATS = [["float64", "float64"], ["float32", "float32"], ["float16", "float16"]];
const NORMS = [["none", "none"], ["layer", "layer normalization"], ["batch", "batch normalization"]];
// What is smaller or larger is drawn at the edge.
const LEAST = 1e-18, MOST = 1e18;

class SignalPropagation extends Explorable {
  static title = "Explore: signals and gradients in a deep network";
  static main = "activation";
  static style = `image { image-rendering: pixelated; }`;

  controls() {
    return {
      activation: { kind: "choice", label: "Activation", options: ACTIVATIONS.map(({ name, label }) => [name, label]), value: "sigmoid" },
      init: { kind: "choice", label: "Weights", options: INITIALIZERS, value: "xavier" },
      sigma: { kind: "number", label: "σ of the weights", html: "<i>σ</i> of weights", min: 0.001, max: 2, log: true, step: 0.01, value: 0.1, when: ({ init }) => init === "normal" },
      depth: { kind: "number", label: "layers", min: 2, max: 100, step: 1, integer: true, value: 20 },
      width: { kind: "number", label: "width", min: 4, max: 128, step: 4, integer: true, value: 64 },
      norm: { kind: "choice", label: "Normalize", options: NORMS, value: "none" },
      format: { kind: "choice", label: "Numbers", options: FORMATS, value: "float32" },
      seed: { kind: "number", label: "seed", min: 0, max: 999, step: 1, integer: true, value: 0 },
      skip: { kind: "flag", label: "skip connections", value: false },
    };
  }

  buttons() { return [["New seed", () => this.set("seed", (this.state.seed + 1) % 1000)]]; }

  layout(stage) {
    const x = { label: "layer", domain: [0, 20] };
    this.sizes = new Chart(stage, { title: `<span class="key" style="color:${COLORS.forward}"></span>activations, standard deviation &nbsp; <span class="key dashed" style="color:${COLORS.backward}"></span>gradient, root mean square`,
      height: 250, left: 46, x, y: { domain: [1e-6, 10], log: true, ticks: 6, format: power } });
    this.sizes.figure.classList.add("whole");
    this.up = new Chart(stage, { title: "Activations: how often each value", height: 200, left: 46, x, y: { domain: [-REACH, REACH], ticks: 5 } });
    this.down = new Chart(stage, { title: "Gradients: how often each size", height: 200, left: 46, x, y: { domain: DECADES, ticks: 5, format: (d) => power(10 ** d) } });
    for (const chart of [this.up, this.down]) chart.image = chart.back.append("image").attr("preserveAspectRatio", "none");
    // A canvas of one pixel for each layer and bin, stretched by the SVG.
    this.canvas = document.createElement("canvas");
    this.background = new Background(report, (found) => this.answered(found));
  }

  changed() {
    this.asked = { ...this.state };
    if (this.report) this.background.ask(this.asked); // the first time when it is in sight
  }

  answered(found) {
    this.take(found, this.asked);
    this.redraw();
    if (this.visible) this.announced.textContent = this.summary();
  }

  take(found, settings) {
    this.report = found;
    this.shown = settings;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.background.stop();
  }

  draw() {
    if (!this.report) {
      this.background.ask(this.asked);
      return false;
    }
    const { forward, backward, shapes, sizes } = this.report, depth = forward.length;
    const inside = (v) => (v > 0 && !Number.isNaN(v) ? Math.min(MOST, Math.max(LEAST, v)) : NaN);
    const all = [...forward, ...backward].map(inside).filter((v) => v > 0), x = [1, Math.max(2, depth)];
    const low = Math.min(0.1, ...all) / 2, high = Math.max(10, ...all) * 2;
    if (!this.sizes.frame({ x, y: [low, high], alt: `Sizes layer by layer, on a logarithmic axis. ${this.summary()}` })) return true;
    const points = (values) => values.map((v, i) => [i + 1, inside(v)]);
    this.sizes.curves([
      { points: points(forward), color: COLORS.forward },
      { points: points(backward), color: COLORS.backward, class: "second" },
    ]);
    this.sizes.front.selectAll("circle").data(depth <= 30 ? [...points(forward).map((p) => [...p, COLORS.forward]), ...points(backward).map((p) => [...p, COLORS.backward])].filter(([, v]) => v > 0) : [])
      .join("circle").attr("r", 2.6).attr("cx", (d) => this.sizes.x(d[0])).attr("cy", (d) => this.sizes.y(d[1])).attr("fill", (d) => d[2]);
    this.strip(this.up, shapes, COLORS.forward, "Distribution of the activations of every layer.");
    this.strip(this.down, sizes, COLORS.backward, "Distribution of the sizes of the gradients of every layer.");
    this.said.textContent = this.verdict();
    return true;
  }

  /** One column a layer, the darker the more values. */
  strip(chart, columns, color, alt) {
    const depth = columns.length;
    chart.frame({ x: [0.5, depth + 0.5], alt: `${alt} ${this.verdict()}` });
    Object.assign(this.canvas, { width: depth, height: BINS });
    const context = this.canvas.getContext("2d"), pixels = context.createImageData(depth, BINS);
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
    columns.forEach((shares, l) => shares.forEach((share, bin) => {
      pixels.data.set([r, g, b, Math.round(255 * Math.min(1, Math.sqrt(share * 4)))], 4 * ((BINS - 1 - bin) * depth + l));
    }));
    context.putImageData(pixels, 0, 0);
    const { left, right, top, bottom } = chart.box;
    chart.image.attr("href", this.canvas.toDataURL()).attr("x", left).attr("y", top).attr("width", right - left).attr("height", bottom - top);
  }

  verdict() {
    const { forward, backward, dead } = this.report, last = forward.length;
    const lost = forward.findIndex((v) => !Number.isFinite(v)) + 1;
    if (lost) return `Overflow: at layer ${lost} the activations leave the range of ${this.shown.format}. Every later number is infinite or not a number, and so is every gradient.`;
    const zero = dead.indexOf(true) + 1;
    if (zero) return `Dead: from layer ${zero} on every activation is 0, so no weight below gets a gradient.`;
    if (backward.some((v) => !Number.isFinite(v))) return `Overflow: the gradients leave the range of ${this.shown.format} on the way down.`;
    const first = backward[0];
    if (first === 0) return "Vanished: the gradient has become exactly 0 before the first layer. The first layers cannot learn.";
    const whole = first / backward.at(-1), rate = whole ** (1 / (last - 1));
    const change = `from the last layer to the first the gradient is multiplied by ${show(whole)}, about ${show(rate)} a layer.`;
    if (whole < 1e-3) return `Vanishing: ${change}`;
    if (whole > 1e3) return `Exploding: ${change}`;
    const spread = forward.at(-1) / forward[0];
    return `Healthy: ${change} The activations' spread changes by a factor of ${show(spread)}${spread < 0.05 ? ", so the last layers hardly tell inputs apart" : ""}.`;
  }

  summary() {
    if (!this.report) return "";
    const { forward, backward } = this.report;
    return `${this.verdict()} Standard deviation of the last activations ${show(forward.at(-1))}; gradient at the first layer ${show(backward[0])}, ${BATCH} inputs.`;
  }

  python() { return snippet(this.state); }
}

define("signal-propagation", SignalPropagation);
