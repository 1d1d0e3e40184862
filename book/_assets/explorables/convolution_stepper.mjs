// A kernel walks over a handwritten digit, one cell of the result at a time.
import { select } from "d3-selection";
import { make } from "./frame/dom.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { COLORS } from "./frame/palette.mjs";
import { correct, plain, show } from "./frame/state.mjs";
import { apply, field, KERNELS, look, outputSize } from "./math/convolution.mjs";
import { snippet } from "./math/convolution_snippet.mjs";
/* global LIVEGRAD_DIGITS */

const SIDE = 8, BRIGHTEST = 16, PAUSE = 260;
const ENTRY = { kind: "number", min: -20, max: 20 };
const kernelText = (kernel) => kernel.join(",");
const small = "-?(?:\\d{1,2}(?:\\.\\d{0,6})?|\\.\\d{1,6})";

class ConvolutionStepper extends Explorable {
  static title = "Explore: a convolution, step by step";
  static main = "kind";
  static style = `
    .cell { stroke: var(--line); stroke-width: 1; }
    .outside { fill: none; stroke-dasharray: 2 3; }
    .seen { fill: none; pointer-events: none; stroke: var(--accent); stroke-width: 2.4; }
    .value { font-size: 11px; pointer-events: none; text-anchor: middle; }
    .result { cursor: pointer; }
    .kernel { border: none; display: grid; gap: 0.3rem; grid-template-columns: repeat(3, 4rem); margin: 0.6rem 0 0; padding: 0; }
    .kernel legend { color: var(--quiet); font-size: 0.88rem; font-weight: 600; margin-bottom: 0.2rem; padding: 0; }
    .kernel[hidden] { display: none; }
    .kernel input { min-height: 2.5rem; text-align: center; }
    .formula { font-variant-numeric: tabular-nums; }
    .sum { color: var(--quiet); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
  `;

  controls() {
    const convolves = ({ mode }) => mode === "convolution";
    return {
      mode: { kind: "choice", label: "Operation", options: [["convolution", "convolution"], ["max", "max pooling"], ["average", "average pooling"]], value: "convolution" },
      kind: { kind: "choice", label: "Kernel", options: [...KERNELS.map(([name, label]) => [name, label]), ["own", "my own"]], value: "vertical", when: convolves },
      digit: { kind: "number", label: "digit", min: 0, max: 9, step: 1, integer: true, value: 3 },
      size: { kind: "number", label: "window size", html: "window <i>k</i>", min: 2, max: 4, step: 1, integer: true, value: 2, when: (state) => !convolves(state) },
      stride: { kind: "number", label: "stride", html: "stride <i>s</i>", min: 1, max: 4, step: 1, integer: true, value: 1 },
      padding: { kind: "number", label: "padding", html: "padding <i>p</i>", min: 0, max: 2, step: 1, integer: true, value: 0, when: convolves },
      dilation: { kind: "number", label: "dilation", html: "dilation <i>d</i>", min: 1, max: 3, step: 1, integer: true, value: 1, when: convolves },
      at: { kind: "number", label: "cell of the result", html: "cell", min: 1, max: 100, step: 1, integer: true, value: 1 },
      kernel: { kind: "text", label: "kernel", pattern: new RegExp(`^${small}(?:,${small}){8}$`), value: kernelText(KERNELS[0][2]), others: ["0,1,0,-1,0.5,0,0,0,2"], when: () => false },
    };
  }

  preset(preset) {
    const chosen = KERNELS.find(([name]) => name === this.specs.kind.value);
    if (chosen && !("kernel" in preset)) this.specs.kernel.value = kernelText(chosen[2]);
  }

  buttons() {
    return [["Play", () => this.start(), true], ["Back", () => this.walk(-1)], ["Step", () => this.walk(1)]];
  }

  layout(stage) {
    const picture = (title) => {
      const figure = make("figure", {}, make("p", { class: "title", text: title }));
      stage.append(figure);
      return { figure, svg: select(figure).append("svg").attr("role", "img") };
    };
    this.input = picture("Input: pixels from 0 to 16");
    this.output = picture("Result: tap a cell to see what it looks at");
    this.entries = Array.from({ length: 9 }, (_, i) => {
      const label = `kernel, row ${Math.floor(i / 3) + 1}, column ${(i % 3) + 1}`;
      const entry = make("input", { type: "text", "aria-label": label, autocomplete: "off" });
      entry.addEventListener("change", () => this.edited(i, label, entry.value));
      return entry;
    });
    this.grid = make("fieldset", { class: "kernel" }, make("legend", { text: "Kernel: type your own numbers" }), ...this.entries);
    this.formula = make("p", { class: "formula" });
    this.sum = make("p", { class: "sum" });
    stage.append(make("div", { class: "whole" }, this.formula, this.sum, this.grid));
  }

  edited(i, label, text) {
    const kernel = this.kernel.slice(), { value, note } = correct({ ...ENTRY, label, value: kernel[i] }, text);
    kernel[i] = Number(value.toFixed(6));
    this.quietly("kind", "own");
    this.set("kernel", kernelText(kernel));
    this.note(note);
  }

  get kernel() { return this.state.kernel.split(",").map(Number); }

  get options() {
    const { mode, size, stride, padding, dilation } = this.state;
    return mode === "convolution" ? { mode, size: 3, stride, padding, dilation } : { mode, size, stride, padding: 0, dilation: 1 };
  }

  get count() { return outputSize(SIDE, this.options) ** 2; }

  changed(key) {
    const chosen = KERNELS.find(([name]) => name === this.state.kind);
    if (key === "kind" && chosen) this.quietly("kernel", kernelText(chosen[2]));
    // From an address or a preset: the numbers are what counts.
    if (key === null && chosen && this.state.kernel !== kernelText(chosen[2])) {
      if (this.state.kernel === this.specs.kernel.value) this.quietly("kernel", kernelText(chosen[2]));
      else this.quietly("kind", "own");
    }
    if (key !== null && key !== "at" && this.playing) this.playing = false;
    if (this.state.at > this.count && key !== null) {
      this.quietly("at", this.count);
    }
  }

  start() {
    if (this.playing) { this.playing = false; return this.set("at", this.state.at); }
    if (this.still) return this.set("at", this.count);
    if (this.state.at >= this.count) this.quietly("at", 1);
    this.last = null;
    this.play();
  }

  step(now) {
    this.last ??= now;
    if (now - this.last < PAUSE) return;
    this.last = now;
    this.quietly("at", Math.min(this.count, this.state.at + 1));
    if (this.state.at === this.count) { this.playing = false; this.set("at", this.count); }
  }

  walk(by) {
    this.playing = false;
    this.set("at", Math.min(this.count, Math.max(1, this.state.at + by)));
  }

  draw() {
    const picture = LIVEGRAD_DIGITS[this.state.digit], { options, kernel } = this, { padding } = options;
    const result = apply(picture, SIDE, kernel, options), at = Math.min(this.state.at, this.count) - 1, side = outputSize(SIDE, options);
    const places = field(SIDE, options, at), whole = SIDE + 2 * padding, width = this.input.figure.clientWidth;
    if (width < 60) return;
    const text = this.color("ink"), room = Math.min(width, 340), edge = room / whole;
    // The input, with its padding around it.
    const cells = Array.from({ length: whole * whole }, (_, i) => [Math.floor(i / whole) - padding, (i % whole) - padding]);
    const inside = ([r, c]) => r >= 0 && c >= 0 && r < SIDE && c < SIDE;
    const x = ([, c]) => (c + padding) * edge + 1, y = ([r]) => (r + padding) * edge + 1;
    const { svg } = this.input;
    svg.attr("viewBox", `0 0 ${width} ${room + 2}`).attr("height", room + 2).attr("aria-label", `The digit ${this.state.digit}, ${SIDE} by ${SIDE} pixels${padding ? `, with ${padding} of padding` : ""}`);
    svg.selectAll("rect.cell").data(cells).join("rect").attr("class", (d) => (inside(d) ? "cell" : "cell outside")).attr("x", x).attr("y", y).attr("width", edge).attr("height", edge)
      .attr("fill", (d) => (inside(d) ? text : "none")).attr("fill-opacity", (d) => (0.75 * look(picture, SIDE, d)) / BRIGHTEST);
    svg.selectAll("rect.seen").data(places).join("rect").attr("class", "seen").attr("x", (d) => x(d) + 1.5).attr("y", (d) => y(d) + 1.5).attr("width", edge - 3).attr("height", edge - 3).attr("rx", 2).raise();
    // The result, as far as the kernel has come.
    const most = Math.max(1e-9, ...result.map(Math.abs)), tile = Math.min(room / side, 56);
    const out = this.output.svg;
    out.attr("viewBox", `0 0 ${width} ${room + 2}`).attr("height", room + 2).attr("aria-label", `Result of ${side} by ${side} cells, ${at + 1} of them filled. ${this.summary()}`);
    const ox = (i) => (i % side) * tile + 1, oy = (i) => Math.floor(i / side) * tile + 1;
    out.selectAll("rect.cell").data(result).join("rect").attr("class", "cell result").attr("x", (_, i) => ox(i)).attr("y", (_, i) => oy(i)).attr("width", tile).attr("height", tile)
      .attr("fill", (v) => (v < 0 ? COLORS.backward : COLORS.forward)).attr("fill-opacity", (v, i) => (i <= at ? 0.6 * Math.abs(v) / most : 0))
      .on("click", ({ currentTarget }) => this.set("at", out.selectAll("rect.cell").nodes().indexOf(currentTarget) + 1));
    out.selectAll("text").data(result).join("text").attr("class", "value").style("fill", text).attr("x", (_, i) => ox(i) + tile / 2).attr("y", (_, i) => oy(i) + tile / 2 + 4)
      .text((v, i) => (i <= at && tile > 26 ? show(v, 2 + (Math.abs(v) >= 100)) : ""));
    out.selectAll("rect.seen").data([at]).join("rect").attr("class", "seen").attr("x", (i) => ox(i) + 1.5).attr("y", (i) => oy(i) + 1.5).attr("width", tile - 3).attr("height", tile - 3).attr("rx", 2).raise();
    this.grid.hidden = options.mode !== "convolution";
    this.entries.forEach((entry, i) => { if (this.shadowRoot.activeElement !== entry) entry.value = plain(ENTRY, kernel[i]).replace("-", "−"); });
    this.formula.replaceChildren(...this.sizes(options, side));
    this.sum.textContent = this.reckon(picture, kernel, options, places, result[at]);
    this.said.textContent = this.verdict(side, at);
    this.actions.Play.textContent = this.playing ? "Pause" : "Play";
  }

  sizes({ size, stride, padding, dilation }, side) {
    return [`Side of the result: ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 = ⌊(${SIDE} + 2·${padding} − ${dilation}·(${size} − 1) − 1) / ${stride}⌋ + 1 = `, make("strong", { text: side })];
  }

  reckon(picture, kernel, { mode }, places, value) {
    const seen = places.map((place) => look(picture, SIDE, place));
    if (mode === "max") return `This cell: max(${seen.join(", ")}) = ${show(value, 4)}`;
    if (mode === "average") return `This cell: (${seen.join(" + ")}) / ${seen.length} = ${show(value, 4)}`;
    const factor = (w) => (w < 0 ? `(${show(w)})` : show(w));
    return `This cell: ${seen.map((v, i) => `${factor(kernel[i])}·${v}`).join(" + ")} = ${show(value, 4)}`;
  }

  verdict(side, at) {
    const { size, dilation } = this.options, span = dilation * (size - 1) + 1;
    return `Cell ${at + 1} of ${side * side}: row ${Math.floor(at / side) + 1}, column ${(at % side) + 1}. Each cell looks at ${size * size} pixels in a square of side ${span}, its receptive field.`;
  }

  summary() {
    const side = outputSize(SIDE, this.options), at = Math.min(this.state.at, this.count) - 1;
    const result = apply(LIVEGRAD_DIGITS[this.state.digit], SIDE, this.kernel, this.options);
    return `The result has side ${side}. ${this.verdict(side, at)} Its value is ${show(result[at], 4)}.`;
  }

  python() { return snippet(this.state.digit, this.kernel, this.options); }
}

define("convolution-stepper", ConvolutionStepper);
