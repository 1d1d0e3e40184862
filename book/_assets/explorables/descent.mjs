// Optimizers race down a surface from a point that the reader chooses.
import { contours } from "d3-contour";
import { Chart, power } from "./frame/chart.mjs";
import { make } from "./frame/dom.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { CYCLE } from "./frame/palette.mjs";
import { show } from "./frame/state.mjs";
import { descend, FAR, largestStableRate, NEAR, OPTIMIZERS, surface, SURFACES } from "./math/descent.mjs";
import { snippet } from "./math/descent_snippet.mjs";

const LOOK = {
  sgd: [CYCLE[0], null], momentum: [CYCLE[1], "8 3"], nesterov: [CYCLE[2], "3 3"],
  adagrad: [CYCLE[4], "10 3 2 3"], rmsprop: [CYCLE[5], "2 2"], adam: [CYCLE[3], "14 3"],
};
const CELLS = [96, 60], LEVELS = 12, SECONDS = 5;

class Descent extends Explorable {
  static title = "Explore: optimizers race downhill";
  static main = "surface";
  static style = `
    .stage > .map { flex: 1.3 1 18rem; }
    .map .pad { cursor: crosshair; }
    .map .land { fill: var(--accent); fill-opacity: 0.045; stroke: var(--quiet); stroke-opacity: 0.28; }
    .racer { stroke: var(--paper); stroke-width: 1.5; }
    .beginning { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }
    .bottom { stroke: var(--ink); stroke-width: 1.6; }
    @container (max-width: 37.99rem) { .controls { grid-template-columns: minmax(0, 1fr); } }
    @container (min-width: 38rem) {
      .controls { grid-template-columns: 11.5rem repeat(4, minmax(0, 1fr)); }
      .control { grid-column-end: span 2; }
      .control:has(#c-surface), .control:has(#c-x), .control:has(#c-scale) { grid-column: 1 / span 2; }
      .control:has(#c-steps), .control:has(#c-y), .control:has(#c-seed) { grid-column: 3 / span 3; }
      .control.flag { grid-column: 1; }
      .control.number { grid-template-columns: auto 1fr 4.6rem; }
    }
  `;

  controls() {
    const place = surface("ravine");
    const controls = {
      surface: { kind: "choice", label: "Surface", options: SURFACES.map(({ name, label }) => [name, label]), value: "ravine" },
      steps: { kind: "number", label: "steps", min: 10, max: 1000, step: 10, integer: true, log: true, value: 200 },
      x: { kind: "number", label: "start x", html: "start <i>x</i>", min: -4.5, max: 4.5, step: 0.05, value: place.start[0] },
      y: { kind: "number", label: "start y", html: "start <i>y</i>", min: -2.8, max: 2.8, step: 0.05, value: place.start[1] },
      scale: { kind: "number", label: "noise", html: "noise <i>σ</i>", min: 0, max: 10, step: 0.1, value: 2, when: ({ surface }) => surface === "noisy" },
      seed: { kind: "number", label: "seed", min: 0, max: 999, step: 1, integer: true, value: 0, when: ({ surface }) => surface === "noisy" },
    };
    for (const { name, label, lr, beta } of OPTIMIZERS) {
      const when = (state) => state[name];
      controls[name] = { kind: "flag", label, html: `<span class="key" style="color:${LOOK[name][0]}"></span>${label}`, value: ["sgd", "momentum", "adam"].includes(name) };
      controls[`${name}-lr`] = { kind: "number", label: `learning rate of ${label}`, html: "rate", min: 1e-4, max: 10, log: true, step: 0.01, value: lr, when };
      if (beta !== undefined) controls[`${name}-beta`] = { kind: "number", label: `beta of ${label}`, html: "<i>β</i>", min: 0, max: 0.999, step: 0.005, value: beta, when };
    }
    return controls;
  }

  buttons() {
    return [["Race", () => this.race(), true], ["One step", () => this.oneStep()], ["Check my largest rate", () => this.challenge()]];
  }

  /** A page that presets the surface gets its starting point and its rates. */
  preset(preset) {
    const { start: [x, y], rates } = surface(this.specs.surface.value);
    for (const [key, value] of Object.entries({ x, y, "sgd-lr": rates[0], "momentum-lr": rates[1], "nesterov-lr": rates[1] })) {
      if (!(key in preset)) this.specs[key].value = value;
    }
  }

  layout(stage) {
    this.map = new Chart(stage, { title: "Tap or click to choose where they start", map: true, left: 30, x: { label: "x", domain: [-4, 4] }, y: { domain: [-2.5, 2.5] } });
    this.map.figure.classList.add("map");
    this.loss = new Chart(stage, { title: "Height above the bottom", height: 250, left: 46, x: { label: "step", domain: [0, 100] }, y: { domain: [1e-8, 10], log: true, ticks: 5, format: power } });
    this.land = this.map.back.append("g");
    this.bottom = this.map.back.append("path").attr("class", "bottom").attr("d", "M-5,0H5M0,-5V5");
    this.beginning = this.map.front.append("circle").attr("class", "beginning").attr("r", 6);
    this.map.onDrag((x, y) => {
      const { x: sx, y: sy } = this.specs;
      this.state.y = Math.min(sy.max, Math.max(sy.min, Math.round(y * 20) / 20));
      this.set("y", this.state.y);
      this.set("x", Math.min(sx.max, Math.max(sx.min, Math.round(x * 20) / 20)));
    });
    this.board = make("div", { class: "whole scroll" });
    stage.append(this.board);
  }

  changed(key) {
    if (key === "surface") {
      const { start: [x, y], rates } = surface(this.state.surface);
      for (const [name, value] of Object.entries({ x, y, "sgd-lr": rates[0], "momentum-lr": rates[1], "nesterov-lr": rates[1] })) this.set(name, value);
    }
    this.playing = false;
    this.at = Infinity; // the whole race; while it plays, the step that is shown
    this.results = null;
    this.answer = "";
  }

  get racers() {
    return OPTIMIZERS.filter(({ name }) => this.state[name]).map(({ name }) => ({ name, lr: this.state[`${name}-lr`], beta: this.state[`${name}-beta`] }));
  }

  get noise() { return this.state.surface === "noisy" ? { scale: this.state.scale, seed: this.state.seed } : null; }

  run() {
    const { x, y, steps } = this.state;
    this.results ||= this.racers.map((racer) => ({
      ...racer, label: OPTIMIZERS.find(({ name }) => name === racer.name).label,
      ...descend(surface(this.state.surface), [x, y], racer, steps, this.noise),
    }));
    return this.results;
  }

  race() {
    if (this.playing) { this.playing = false; return this.redraw(); }
    if (this.still) { this.at = Infinity; return this.redraw(); }
    this.at = this.at < this.state.steps ? this.at : 0;
    this.last = null;
    this.play();
  }

  oneStep() {
    this.playing = false;
    this.at = this.at < this.state.steps ? Math.floor(this.at) + 1 : 1;
    this.redraw();
    this.announced.textContent = this.summary();
  }

  step(now) {
    const passed = this.last === null ? 0 : Math.min(100, now - this.last);
    this.last = now;
    this.at += (this.state.steps * passed) / (1000 * SECONDS);
    if (this.at < this.state.steps) return;
    this.at = Infinity;
    this.playing = false;
    this.announced.textContent = this.summary();
  }

  challenge() {
    const { label, ...place } = surface(this.state.surface), lr = this.state["sgd-lr"];
    const share = lr / largestStableRate(place);
    const near = place.quadratic ? "" : ` near the minimum of ${label}`;
    if (share > 1) this.answer = `Too large: at ${show(lr)} gradient descent cannot settle${near}: each step lands higher up on the other side. Try less.`;
    else if (share >= 0.97) this.answer = `Found: ${show(lr)} is within 3 % of the largest stable rate${near}, 2 / λmax = ${show(largestStableRate(place), 4)}.`;
    else this.answer = `${show(lr)} is stable${near}, but not the largest: it is ${share < 0.5 ? "less than half" : "more than half"} of what is possible. Try more.`;
    this.redraw();
    this.announced.textContent = this.answer;
  }

  draw() {
    const place = surface(this.state.surface), results = this.run(), upTo = Math.min(this.at, this.state.steps);
    const { map, loss } = this;
    const alt = `Paths of ${results.map(({ label }) => label).join(", ") || "no optimizer"} on: ${place.label}.`;
    if (!map.frame({ x: place.domain[0], y: place.domain[1], alt })) return;
    this.drawLand(place);
    map.pad();
    const shown = (path) => path.slice(0, Math.floor(upTo) + 1);
    const color = ({ name }) => LOOK[name][0];
    const near = ([x, y]) => [Math.min(99, Math.max(-99, x)), Math.min(99, Math.max(-99, y))];
    map.curves(results.map((one) => ({ points: shown(one.points).map(near), color: color(one), dash: LOOK[one.name][1] })));
    map.plot.selectAll("circle").data(results).join("circle").attr("class", "racer").attr("r", 5.5).attr("fill", color)
      .each(function place(one) {
        const [x, y] = near(shown(one.points).at(-1));
        this.setAttribute("cx", map.x(x));
        this.setAttribute("cy", map.y(y));
      });
    this.bottom.attr("transform", `translate(${map.x(place.minimum[0])},${map.y(place.minimum[1])})`);
    this.beginning.attr("cx", map.x(this.state.x)).attr("cy", map.y(this.state.y));
    const finite = results.flatMap(({ values }) => values.filter((v) => v > 1e-12 && v < FAR));
    const low = Math.min(1e-2, ...finite), high = Math.max(1, ...finite);
    if (loss.frame({ x: [0, this.state.steps], y: [low / 2, high * 2], alt: `Loss against step. ${this.summary()}` })) {
      loss.curves(results.map((one) => ({ points: shown(one.values).map((v, t) => [t, Math.min(v, 10 * FAR)]), color: color(one), dash: LOOK[one.name][1] })));
    }
    this.table(results, upTo);
    this.said.textContent = this.answer || this.verdict(results);
    this.actions.Race.textContent = this.playing ? "Pause" : "Race";
  }

  drawLand(place) {
    const key = `${place.name} ${this.map.box.right}`;
    if (this.drawn === key) return;
    this.drawn = key;
    const [[x0, x1], [y0, y1]] = place.domain, [columns, rows] = CELLS;
    const dx = (x1 - x0) / columns, dy = (y1 - y0) / rows, heights = [];
    for (let j = 0; j < rows; j++) for (let i = 0; i < columns; i++) heights.push(-Math.log(place.f(x0 + (i + 0.5) * dx, y0 + (j + 0.5) * dy) + 1e-3));
    const low = Math.min(...heights), high = Math.max(...heights);
    const levels = Array.from({ length: LEVELS }, (_, k) => low + ((k + 0.6) * (high - low)) / LEVELS);
    const at = ([i, j]) => `${this.map.x(x0 + i * dx).toFixed(1)},${this.map.y(y0 + j * dy).toFixed(1)}`;
    const outline = ({ coordinates }) => coordinates.flat().map((ring) => `M${ring.map(at).join("L")}Z`).join("");
    this.land.selectAll("path").data(contours().size(CELLS).thresholds(levels)(heights)).join("path").attr("class", "land").attr("d", outline);
  }

  table(results, upTo) {
    const rows = results.map(({ name, label, lr, values, diverged, arrived }) => {
      const lost = diverged >= 0 && diverged <= upTo;
      const fate = lost ? `diverged at step ${diverged}` : arrived >= 0 && arrived <= upTo ? `at the bottom after ${arrived} steps` : "on its way";
      return make("tr", {},
        make("th", { scope: "row" }, make("span", { class: "key", style: `color:${LOOK[name][0]}` }), label),
        ...[show(lr), lost ? "—" : show(values[Math.min(Math.floor(upTo), values.length - 1)]), fate].map((text) => make("td", { text })));
    });
    this.board.replaceChildren(make("table", { class: "readout" },
      make("thead", {}, make("tr", {}, make("td"), ...["rate", "height", ""].map((text) => (text ? make("th", { scope: "col", text }) : make("td"))))),
      make("tbody", {}, ...rows)));
  }

  verdict(results) {
    if (!results.length) return "No optimizer is switched on: choose at least one below.";
    const lost = results.filter(({ diverged }) => diverged >= 0);
    const arrived = results.filter((one) => one.arrived >= 0).sort((a, b) => a.arrived - b.arrived);
    const parts = [];
    if (lost.length) parts.push(`${lost.map(({ label }) => label).join(" and ")} diverged: the rate is too large for this surface, and each step made it worse.`);
    if (arrived.length) parts.push(`${arrived[0].label} is first at the bottom (height below ${NEAR.toExponential(0).replace("-", "−")}), after ${arrived[0].arrived} steps.`);
    if (!lost.length && !arrived.length) parts.push(`After ${this.state.steps} steps none has reached the bottom (height below ${NEAR.toExponential(0).replace("-", "−")}).`);
    return parts.join(" ");
  }

  summary() {
    const results = this.run(), upTo = Math.min(this.at, this.state.steps);
    const ends = results.map(({ label, values, diverged }) => (diverged >= 0 && diverged <= upTo ? `${label} diverged at step ${diverged}` : `${label} at height ${show(values[Math.min(Math.floor(upTo), values.length - 1)])}`));
    return `Step ${Math.floor(upTo)}. ${ends.join("; ")}. ${upTo < this.state.steps ? "" : this.verdict(results)}`.trim();
  }

  python() {
    const { x, y, steps } = this.state;
    return snippet(surface(this.state.surface), [x, y], this.racers, steps, this.noise);
  }
}

define("descent", Descent);
