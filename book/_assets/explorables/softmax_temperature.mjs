// Logits to drag, a temperature, and softmax written in two ways: one of them overflows.
import { Chart } from "./frame/chart.mjs";
import { make } from "./frame/dom.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { COLORS } from "./frame/palette.mjs";
import { show } from "./frame/state.mjs";
import { entropy, LARGEST, naive, stable } from "./math/softmax.mjs";
import { snippet } from "./math/softmax_snippet.mjs";

const CLASSES = ["A", "B", "C", "D", "E"], BEGIN = [2, 1, 0.5, -1, -2], REACH = 5;

class SoftmaxTemperature extends Explorable {
  static title = "Explore: softmax and its temperature";
  static main = "temperature";
  static style = `
    .bars .pad { cursor: ns-resize; }
    .bars svg { touch-action: none !important; }
    .lost { color: var(--warm); font-weight: 650; }
    svg .lost { fill: var(--warm); font-weight: 650; }
    .wrong { color: var(--warm); font-weight: 650; }
  `;

  controls() {
    const controls = {
      temperature: { kind: "number", label: "temperature", html: "temperature <i>T</i>", min: 0.05, max: 20, log: true, step: 0.05, value: 1 },
      shift: { kind: "number", label: "added to all logits", html: "added to all", min: -120, max: 120, step: 1, value: 0 },
    };
    CLASSES.forEach((name, i) => {
      controls[`z${i + 1}`] = { kind: "number", label: `logit of ${name}`, html: `logit of ${name}`, min: -REACH, max: REACH, step: 0.1, value: BEGIN[i] };
    });
    return controls;
  }

  layout(stage) {
    const x = { label: "", domain: [0, CLASSES.length], names: CLASSES };
    this.bars = new Chart(stage, { title: "Logits <i>z</i>: drag a bar", height: 230, x, y: { domain: [-REACH - 0.5, REACH + 0.5] } });
    this.bars.figure.classList.add("bars");
    this.shares = new Chart(stage, { title: "Probabilities", height: 230, x, y: { domain: [0, 1.08] } });
    this.board = make("div", { class: "whole scroll" });
    stage.append(this.board);
    this.bars.onDrag((at, height, begins) => {
      if (begins) this.dragged = Math.min(CLASSES.length - 1, Math.max(0, Math.floor(at)));
      this.set(`z${this.dragged + 1}`, Math.min(REACH, Math.max(-REACH, Math.round(height * 10) / 10)));
    });
  }

  get own() { return CLASSES.map((_, i) => this.state[`z${i + 1}`]); }
  get logits() { return this.own.map((z) => Number((z + this.state.shift).toPrecision(12))); }
  get results() {
    const { temperature } = this.state;
    return { plain: naive(this.logits, temperature), safe: stable(this.logits, temperature) };
  }

  draw() {
    const { bars, shares, own } = this, { plain, safe } = this.results;
    if (!bars.frame({ alt: `Logits: ${own.map((z, i) => `${CLASSES[i]} ${show(z)}`).join(", ")}` })) return;
    bars.pad();
    const box = (chart, selection, left, width, value) => selection
      .attr("x", (_, i) => chart.x(i + left)).attr("width", chart.x(width) - chart.x(0))
      .attr("y", (d) => chart.y(Math.max(0, value(d)))).attr("height", (d) => Math.abs(chart.y(value(d)) - chart.y(0)));
    box(bars, bars.plot.selectAll("rect").data(own).join("rect").attr("fill", COLORS.linear).attr("fill-opacity", 0.75).attr("rx", 2), 0.2, 0.6, (z) => z);
    bars.front.selectAll("circle").data(own).join("circle").attr("class", "handle").attr("r", 7).attr("fill", COLORS.linear)
      .attr("cx", (_, i) => bars.x(i + 0.5)).attr("cy", (z) => bars.y(z)).attr("pointer-events", "none");
    shares.frame({ alt: `Probabilities. ${this.summary()}` });
    const height = (p) => (Number.isFinite(p) ? p : 0);
    box(shares, shares.plot.selectAll("rect.safe").data(safe.shares).join("rect").attr("class", "safe").attr("fill", COLORS.good).attr("rx", 2), 0.14, 0.34, height);
    box(shares, shares.plot.selectAll("rect.plain").data(plain.shares).join("rect").attr("class", "plain").attr("fill", COLORS.backward).attr("rx", 2), 0.52, 0.34, height);
    shares.front.selectAll("text").data(plain.shares).join("text").attr("class", "lost").attr("text-anchor", "middle")
      .attr("x", (_, i) => shares.x(i + 0.69)).attr("y", shares.y(0) - 6).text((p) => (Number.isNaN(p) ? "NaN" : ""));
    this.table(plain, safe);
    this.said.replaceChildren(...this.verdict(plain, safe));
  }

  table(plain, safe) {
    const written = (value) => (Number.isNaN(value) ? "NaN" : value === Infinity ? "inf" : show(value, 4));
    const cell = (value) => make("td", { text: written(value), class: Number.isFinite(value) ? null : "lost" });
    const rows = CLASSES.map((name, i) => make("tr", {}, make("th", { scope: "row", text: name }),
      ...[plain.scaled[i], plain.powers[i], plain.shares[i], safe.shares[i]].map(cell)));
    const key = (color) => make("span", { class: "key", style: `color:${color}` });
    this.board.replaceChildren(make("table", { class: "readout" },
      make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col", html: "<i>z</i>/<i>T</i>" }), make("th", { scope: "col", html: "e<sup><i>z</i>/<i>T</i></sup>" }),
        make("th", { scope: "col" }, key(COLORS.backward), "naive"), make("th", { scope: "col" }, key(COLORS.good), "stable"))),
      make("tbody", {}, ...rows)));
  }

  /** What to notice, as text and elements. */
  verdict(plain, safe) {
    const bits = entropy(safe.shares), top = CLASSES[safe.shares.indexOf(Math.max(...safe.shares))];
    const parts = [];
    if (plain.powers.includes(Infinity)) parts.push(make("strong", { class: "wrong", text: `Overflow: float32 cannot hold the exponential of a number above ${show(LARGEST, 4)}. ` }),
      "Infinity divided by infinity is not a number. The stable form takes the largest logit away first. ");
    else if (plain.sum === 0) parts.push(make("strong", { class: "wrong", text: "Underflow: every exponential is 0 in float32, and 0 / 0 is not a number. " }), "The stable form always has one exponential that is 1. ");
    else if (plain.powers.some((power) => power > 0 && power < 2 ** -126)) parts.push(make("strong", { class: "wrong", text: "The exponentials are so small that float32 has lost digits of them: the naive shares are inexact. " }));
    parts.push(bits < 0.1 ? `Nearly all probability is on ${top}.` : bits > Math.log2(CLASSES.length) - 0.1 ? "The classes are nearly equally probable." : `Most probable: ${top}.`,
      ` Entropy ${show(bits)} of at most ${show(Math.log2(CLASSES.length))} bits.`);
    return parts;
  }

  summary() {
    const { plain, safe } = this.results;
    const shares = safe.shares.map((p, i) => `${CLASSES[i]} ${show(p)}`).join(", ");
    return `Stable softmax: ${shares}. ${this.verdict(plain, safe).map((part) => part.textContent ?? part).join("")}`;
  }

  python() { return snippet(this.logits, this.state.temperature); }
}

define("softmax-temperature", SoftmaxTemperature);
