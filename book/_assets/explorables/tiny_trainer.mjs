// A small network that learns two classes in the page; rate and activation can be changed while it does.
import { Chart } from "./frame/chart.mjs";
import { make } from "./frame/dom.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { COLORS } from "./frame/palette.mjs";
import { show } from "./frame/state.mjs";
import { ACTIVATIONS, find } from "./math/activations.mjs";
import { toy, TOYS } from "./math/toys.mjs";
import { readCourse, Trainer, writeCourse } from "./math/trainer.mjs";
import { snippet } from "./math/trainer_snippet.mjs";

const COUNT = 160, MOST = 3000, SIDE = 1.8, PIXELS = [56, 56], FRAME = 13, PER_FRAME = 4; // FRAME: ms for steps and picture
const CLASSES = [COLORS.forward, COLORS.backward];
const RGB = CLASSES.map((color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));
// The middles of the map's pixels, row by row from the top.
const GRID = Float64Array.from({ length: 2 * PIXELS[0] * PIXELS[1] }, (_, at) => {
  const [columns, rows] = PIXELS, k = at >> 1;
  return at % 2 ? SIDE - (2 * SIDE * (Math.floor(k / columns) + 0.5)) / rows : -SIDE + (2 * SIDE * ((k % columns) + 0.5)) / columns;
});
const COURSE = new RegExp(`^(\\d{1,4}:\\d*\\.?\\d+(e-?\\d+)?:(${ACTIVATIONS.map(({ name }) => name).join("|")});?)*$`);

class TinyTrainer extends Explorable {
  static title = "Explore: a small network learns";
  static main = "data";
  static style = `
    .point { stroke: var(--paper); stroke-width: 1.2; }
    .map svg { touch-action: auto; }
  `;

  controls() {
    return {
      data: { kind: "choice", label: "Data", options: TOYS, value: "moons" },
      activation: { kind: "choice", label: "Activation", options: ACTIVATIONS.map(({ name, label }) => [name, label]), value: "relu" },
      lr: { kind: "number", label: "learning rate", min: 0.001, max: 30, log: true, step: 0.01, value: 0.3 },
      steps: { kind: "number", label: "steps taken", min: 0, max: MOST, step: 10, integer: true, value: 0 },
      layers: { kind: "number", label: "hidden layers", min: 1, max: 4, step: 1, integer: true, value: 2 },
      width: { kind: "number", label: "units in each", min: 1, max: 16, step: 1, integer: true, value: 8 },
      noise: { kind: "number", label: "noise of the data", html: "noise", min: 0, max: 0.5, step: 0.01, value: 0.1 },
      seed: { kind: "number", label: "seed", min: 0, max: 999, step: 1, integer: true, value: 0 },
      // Rates and activations of the past, which the present network came by; not shown.
      course: { kind: "text", label: "past settings", pattern: COURSE, value: "", others: ["20:0.1:tanh"], when: () => false },
    };
  }

  buttons() {
    return [["Train", () => this.train(), true], ["One step", () => this.oneStep()], ["Start again", () => this.set("steps", 0)], ["New seed", () => this.set("seed", (this.state.seed + 1) % 1000)]];
  }

  layout(stage) {
    const domain = [-SIDE, SIDE];
    this.map = new Chart(stage, { title: "What the network says where", map: true, left: 30, x: { label: "", domain }, y: { domain } });
    this.image = this.map.back.append("image").attr("preserveAspectRatio", "none");
    this.canvas = document.createElement("canvas");
    [this.canvas.width, this.canvas.height] = PIXELS;
    this.chart = new Chart(stage, { title: "Loss", height: 210, left: 40, x: { label: "step", domain: [0, 100] }, y: { domain: [0, 1] } });
    this.board = make("div");
    this.chart.figure.append(this.board);
  }

  get sizes() { return [2, ...Array(this.state.layers).fill(this.state.width), 1]; }

  /** Parts of the training: [{end, lr, activation}], the present settings last. */
  get parts() {
    const { steps, lr, activation, course } = this.state;
    return [...readCourse(course).filter(({ end }) => end < steps), { end: steps, lr, activation }];
  }

  changed(key) {
    const { steps, lr, activation, course } = this.state;
    const now = { lr, activation };
    if ((key === "lr" || key === "activation") && this.trainer) {
      // What was learned so far was learned under the old settings.
      const done = Math.min(this.trainer.t, steps), past = readCourse(course).filter(({ end }) => end < done);
      if (done > 0) this.quietly("course", writeCourse([...past, { end: done, ...this.was }].slice(-20)));
      if (this.trainer.t < steps) this.quietly("steps", this.trainer.t);
      this.was = now;
      return;
    }
    this.was = now;
    if (key === "steps") {
      this.playing = false;
      if (this.trainer && this.trainer.t <= steps) return;
      this.quietly("course", writeCourse(readCourse(course).filter(({ end }) => end < steps)));
    } else if (key !== null) {
      this.playing = false;
      this.quietly("course", "");
      this.quietly("steps", 0);
    }
    this.trainer = new Trainer(this.sizes, this.state.seed, this.examples());
  }

  /** The data set; the same object as long as its settings are the same. */
  examples() {
    const { data, noise, seed } = this.state, name = `${data} ${noise} ${seed}`;
    if (this.known?.name !== name) this.known = { name, examples: toy(data, COUNT, noise, seed) };
    return this.known.examples;
  }

  train() {
    if (this.playing) return this.rest();
    if (this.state.steps >= MOST) return this.note(`${MOST} steps are the most that can be taken here. Start again, or change a setting.`);
    if (this.still) return this.set("steps", Math.min(MOST, this.state.steps + 200)); // no motion: to the end of a stretch
    this.play();
  }

  rest() {
    this.playing = false;
    this.set("steps", this.trainer.t);
  }

  oneStep() {
    this.playing = false;
    this.set("steps", Math.min(MOST, this.state.steps + 1));
  }

  step() {
    this.quietly("steps", Math.min(MOST, this.state.steps + PER_FRAME));
    if (this.state.steps >= MOST) this.rest();
  }

  /** Take the steps that are due, as many as fit in a frame beside the picture; one at least. */
  catchUp() {
    const until = performance.now() + FRAME - (this.picture ?? FRAME / 2), { trainer, parts } = this;
    if (trainer.t < this.state.steps) {
      do {
        const { lr, activation } = parts.find(({ end }) => trainer.t < end);
        trainer.step(lr, activation);
      } while (trainer.t < this.state.steps && performance.now() < until);
    }
    const behind = trainer.t < this.state.steps;
    if (behind) this.redraw();
    else if (this.behind) this.announced.textContent = this.summary();
    this.behind = behind;
  }

  draw() {
    this.catchUp();
    const begin = performance.now();
    this.paint();
    this.picture = performance.now() - begin;
  }

  paint() {
    const { map, chart, trainer } = this, report = this.report(), summary = this.summary();
    if (!map.frame({ alt: `Points of two classes and the regions the network gives them. ${summary}` })) return;
    this.regions();
    this.points();
    const losses = [...trainer.losses, report.loss], finite = losses.filter(Number.isFinite);
    chart.frame({ x: [0, Math.max(100, trainer.t)], y: [0, Math.min(4, Math.max(0.8, ...finite))], alt: `Loss against step. ${summary}` });
    const every = Math.ceil(losses.length / 400), shown = [];
    losses.forEach((v, t) => { if (t % every === 0 || t === trainer.t) shown.push([t, Math.min(v, 1e3)]); });
    chart.curves([{ points: shown, color: COLORS.train }]);
    this.table(report);
    this.said.textContent = this.verdict(report);
    this.actions.Train.textContent = this.playing ? "Pause" : "Train";
  }

  /** What there is to say of the network as it is; worked out once for each step and activation. */
  report() {
    const { trainer, state: { activation } } = this, { of } = this.reported ?? {};
    if (!of || of.trainer !== trainer || of.t !== trainer.t || of.activation !== activation) {
      this.reported = { of: { trainer, t: trainer.t, activation }, ...trainer.report(activation) };
    }
    return this.reported;
  }

  /** The data set, drawn again only where another one or another size asks for it. */
  points() {
    const { map, trainer: { data }, drawn } = this, { x, y } = data, { right } = map.box;
    if (drawn?.data === data && drawn.right === right) return;
    this.drawn = { data, right };
    const mark = ([, , c]) => (c ? "M-3.6,-3.6h7.2v7.2h-7.2Z" : "M-4.2,0a4.2,4.2 0 1,0 8.4,0a4.2,4.2 0 1,0 -8.4,0");
    map.plot.selectAll("path").data(Array.from(y, (c, i) => [x[2 * i], x[2 * i + 1], c])).join("path").attr("class", "point").attr("d", mark)
      .attr("fill", ([, , c]) => CLASSES[c]).attr("transform", ([a, b]) => `translate(${map.x(a).toFixed(1)},${map.y(b).toFixed(1)})`);
  }

  regions() {
    const z = this.trainer.forward(GRID, this.state.activation).at(-1).a;
    const context = this.canvas.getContext("2d"), pixels = context.createImageData(...PIXELS), { data } = pixels;
    for (let k = 0; k < z.length; k++) {
      const rgb = RGB[z[k] > 0 ? 1 : 0];
      for (let i = 0; i < 3; i++) data[4 * k + i] = rgb[i];
      data[4 * k + 3] = Math.round(30 + 110 * (Math.abs(Math.tanh(z[k] / 2)) || 0));
    }
    context.putImageData(pixels, 0, 0);
    const { left, right, top, bottom } = this.map.box;
    this.image.attr("href", this.canvas.toDataURL()).attr("x", left).attr("y", top).attr("width", right - left).attr("height", bottom - top);
  }

  table({ loss, accuracy, dead }) {
    const units = dead.map((count, l) => [`dead units, layer ${l + 1}`, `${count} of ${this.state.width}`]);
    const rows = [["loss", show(loss, 4)], ["right answers", `${show(100 * accuracy, 3)} %`], ...units];
    this.board.replaceChildren(make("table", { class: "readout" }, make("tbody", {},
      ...rows.map(([name, text]) => make("tr", {}, make("th", { scope: "row", text: name }), make("td", { text }))))));
  }

  verdict({ loss, accuracy, dead }) {
    if (!Number.isFinite(loss)) return "Diverged: the weights are no numbers any more. Start again with a smaller learning rate.";
    const layer = dead.findIndex((count) => count === this.state.width) + 1;
    if (layer) return `Every unit of layer ${layer} is dead: no gradient passes, and the layers below it learn nothing more.`;
    const all = dead.reduce((sum, count) => sum + count, 0);
    const units = all ? ` ${all} of ${this.state.width * this.state.layers} units are dead: no example gets a gradient through them.` : "";
    if (!this.state.steps) return `Not yet trained: press Train.${units}`;
    return `After ${this.trainer.t} steps ${show(100 * accuracy, 3)} % of the answers are right.${units}`;
  }

  summary() {
    const report = this.report();
    return `${find(this.state.activation).label}, learning rate ${show(this.state.lr)}. ${this.verdict(report)} Loss ${show(report.loss, 4)}.`;
  }

  python() {
    const { data, noise, seed } = this.state;
    return snippet({ sizes: this.sizes, data, noise, seed, count: COUNT, parts: this.parts });
  }
}

define("tiny-trainer", TinyTrainer);
