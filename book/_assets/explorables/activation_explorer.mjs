// An activation function and its slope, a point to drag, a second function to compare with.
import { Chart } from "./frame/chart.mjs";
import { make } from "./frame/dom.mjs";
import { define, Explorable } from "./frame/element.mjs";
import { COLORS } from "./frame/palette.mjs";
import { show } from "./frame/state.mjs";
import { ACTIVATIONS, find, gain as computeGain, saturated } from "./math/activations.mjs";
import { snippet } from "./math/activation_snippet.mjs";

const REACH = 6, POINTS = 481, LIMIT = 0.05;
const GRID = Array.from({ length: POINTS }, (_, i) => -REACH + (2 * REACH * i) / (POINTS - 1));

const gains = new Map();
function gain({ name, value, at }) {
  const key = `${name} ${value}`;
  if (!gains.has(key)) gains.set(key, computeGain(at));
  return gains.get(key);
}

class ActivationExplorer extends Explorable {
  static title = "Explore: activation functions";
  static main = "f";

  controls() {
    const all = ACTIVATIONS.map(({ name, label }) => [name, label]);
    const controls = {
      f: { kind: "choice", label: "Function", options: all, value: "mish" },
      g: { kind: "choice", label: "Compare with", options: [["none", "nothing"], ...all], value: "none" },
      x: { kind: "number", label: "x", html: "<i>x</i>", min: -REACH, max: REACH, step: 0.05, value: 1 },
    };
    for (const { name, label, parameter } of ACTIVATIONS) {
      if (!parameter) continue;
      controls[`${name}-${parameter.name}`] = {
        ...parameter, kind: "number", label: `${parameter.label} of ${label}`, html: `${parameter.html} <small>${label}</small>`,
        when: ({ f, g }) => f === name || g === name,
      };
    }
    return controls;
  }

  layout(stage) {
    const alt = "Curve of the chosen function";
    const x = { label: "input x", domain: [-REACH, REACH] };
    this.above = new Chart(stage, { title: "Value <i>f</i>(<i>x</i>) and its tangent", x, y: { domain: [-1, 6] }, alt, height: 260 });
    this.below = new Chart(stage, { title: "Slope <i>f</i>′(<i>x</i>): the factor on a gradient", x, y: { domain: [0, 1] }, alt, height: 260 });
    this.legend = make("div", { class: "whole scroll" });
    stage.append(this.legend);
    for (const chart of [this.above, this.below]) {
      chart.shades = chart.back.append("g");
      chart.tangent = chart.plot.append("line").attr("stroke", "currentColor").attr("stroke-width", 1.4);
      chart.cursor = chart.back.append("line").attr("class", "zero").attr("stroke-dasharray", "2 3");
      chart.handle = chart.front.append("circle").attr("class", "handle").attr("r", 7.5);
      chart.onDrag((at) => this.set("x", Math.min(REACH, Math.max(-REACH, Math.round(at * 20) / 20))));
    }
  }

  /** One of the two functions with its parameter filled in. */
  chosen(name) {
    const entry = find(name), parameter = entry.parameter && this.state[`${name}-${entry.parameter.name}`];
    return { ...entry, value: parameter, at: (x) => entry.f(x, parameter), slopeAt: (x) => entry.slope(x, parameter), color: COLORS[entry.color] };
  }

  get both() {
    const { f, g } = this.state, first = this.chosen(f);
    if (g === "none" || g === f) return [first];
    const second = this.chosen(g);
    return [first, second.color === first.color ? { ...second, color: "currentColor" } : second];
  }

  draw() {
    const { x } = this.state, both = this.both, [f] = both, shaded = saturated(f.slopeAt, -REACH, REACH, LIMIT);
    const draw = (chart, name, values, [least, most], cap) => {
      const all = values.flat();
      const low = Math.max(-cap, Math.min(least, ...all)), high = Math.min(cap, Math.max(most, ...all)), room = 0.06 * (high - low);
      const alt = `${name} of ${both.map(({ label }) => label).join(" and ")} for x from −6 to 6. ${this.summary()}`;
      if (!chart.frame({ y: [low - room, high + room], alt })) return false;
      chart.curves(values.map((ys, i) => ({ points: GRID.map((at, k) => [at, ys[k]]), color: both[i].color, class: i ? "second" : "" })).reverse());
      const { top, bottom } = chart.box, px = chart.x(x);
      chart.pad();
      chart.cursor.attr("x1", px).attr("x2", px).attr("y1", top).attr("y2", bottom);
      chart.shades.selectAll("rect").data(shaded).join("rect")
        .attr("fill", f.color).attr("fill-opacity", 0.12).attr("x", (d) => chart.x(d[0])).attr("width", (d) => chart.x(d[1]) - chart.x(d[0]))
        .attr("y", top).attr("height", bottom - top);
      return true;
    };
    const y = f.at(x), slope = f.slopeAt(x);
    if (!draw(this.above, "Values", both.map((one) => GRID.map(one.at)), [-1.1, 1.1], 6.5)) return;
    if (!draw(this.below, "Slopes", both.map((one) => GRID.map(one.slopeAt)), [0, 1], 3)) return;
    const { above, below } = this, run = 1.6 / Math.hypot(1, slope);
    above.tangent.attr("x1", above.x(x - run)).attr("x2", above.x(x + run)).attr("y1", above.y(y - run * slope)).attr("y2", above.y(y + run * slope)).raise();
    const inside = (chart, value) => Math.min(chart.box.bottom, Math.max(chart.box.top, chart.y(value)));
    above.handle.attr("cx", above.x(x)).attr("cy", inside(above, y)).attr("fill", f.color);
    below.handle.attr("cx", below.x(x)).attr("cy", inside(below, slope)).attr("fill", f.color);
    this.table(both, x);
    this.said.textContent = this.meaning(f, x, slope, shaded);
  }

  meaning({ label }, x, slope, shaded) {
    if (shaded.some(([from, to]) => from <= x && x <= to)) return `Saturated here: the gradient of every earlier layer is multiplied by ${show(slope)}.`;
    if (Math.abs(slope) < LIMIT) return `A flat point: the slope is ${show(slope)} here, and larger on both sides.`;
    return shaded.length ? `Shaded: where the slope of ${label} is smaller than ${LIMIT}. There the unit is saturated and hardly learns.`
      : `The slope of ${label} is nowhere between −6 and 6 smaller than ${LIMIT}: no unit saturates.`;
  }

  table(both, x) {
    const rows = both.map((one, i) => [
      make("th", { scope: "row" }, make("span", { class: i ? "key dashed" : "key", style: `color:${one.color}` }), one.label),
      ...[one.at(x), one.slopeAt(x), gain(one)].map((value) => make("td", { text: show(value, 4) })),
    ]);
    const heads = ["", `f(${show(x)})`, `f′(${show(x)})`, "gain"];
    this.legend.replaceChildren(make("table", { class: "readout" },
      make("thead", {}, make("tr", {}, ...heads.map((text) => (text ? make("th", { scope: "col", text }) : make("td"))))),
      make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells)))));
  }

  summary() {
    const { x } = this.state;
    return this.both.map((one) => `${one.label} at x = ${show(x)}: value ${show(one.at(x), 4)}, slope ${show(one.slopeAt(x), 4)}, gain ${show(gain(one), 4)}.`).join(" ");
  }

  python() {
    const [f] = this.both;
    return snippet(f, f.value, this.state.x);
  }
}

define("activation-explorer", ActivationExplorer);
