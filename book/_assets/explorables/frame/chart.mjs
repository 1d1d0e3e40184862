// A pair of axes with room for curves. Axes, scales, paths are d3's.
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog } from "d3-scale";
import { select } from "d3-selection";
import { line } from "d3-shape";
import { make } from "./dom.mjs";

let clips = 0;

/** Ticks of a logarithmic axis: 10⁻³. */
export function power(value) {
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(value / 10 ** exponent - 1) > 1e-9) return "";
  return `10${[...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("")}`;
}

/** At most about `most` powers of ten in the domain, at even distances. */
function powers([low, high], most) {
  const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9), by = Math.max(1, Math.ceil((to - from) / most));
  return Array.from({ length: Math.max(0, Math.floor((to - from) / by) + 1) }, (_, i) => 10 ** (from + i * by));
}

export class Chart {
  /** options: title, height, left, x: {label, domain, log, names}, y: {label, domain, log, format, ticks}. */
  constructor(parent, options) {
    this.options = options;
    this.figure = make("figure", {}, make("p", { class: "title", html: options.title }));
    parent.append(this.figure);
    this.svg = select(this.figure).append("svg").attr("role", "img").attr("aria-label", options.alt || options.x.label);
    const clip = `clip-${++clips}`;
    this.clip = this.svg.append("defs").append("clipPath").attr("id", clip).append("rect");
    this.grid = this.svg.append("g").attr("class", "grid");
    this.back = this.svg.append("g").attr("clip-path", `url(#${clip})`);
    this.axisX = this.svg.append("g");
    this.axisY = this.svg.append("g");
    this.labelX = this.svg.append("text").attr("text-anchor", "end").text(options.x.label);
    this.plot = this.svg.append("g").attr("clip-path", `url(#${clip})`);
    this.front = this.svg.append("g");
    this.x = options.x.log ? scaleLog() : scaleLinear();
    this.y = options.y.log ? scaleLog() : scaleLinear();
  }

  /** Fit to the width there is and draw the axes; false where there is no room. */
  frame({ x = this.options.x.domain, y = this.options.y.domain, alt } = {}) {
    const width = this.figure.clientWidth, { left = 38 } = this.options;
    if (width < 60) return false;
    // A map keeps its proportions; a chart keeps its height.
    const height = this.options.map ? ((width - left - 8) * (y[1] - y[0])) / (x[1] - x[0]) + 42 : this.options.height || 230;
    const bottom = height - 34, right = width - 8;
    if (alt) this.svg.attr("aria-label", alt);
    this.svg.attr("height", height).attr("viewBox", `0 0 ${width} ${height}`);
    this.x.domain(x).range([left, right]);
    this.y.domain(y).range([bottom, 8]);
    this.box = { left, right, top: 8, bottom };
    this.clip.attr("x", left).attr("y", 0).attr("width", right - left).attr("height", bottom + 2);
    const columns = Math.max(3, Math.floor(width / 70)), rows = this.options.y.ticks || 5;
    const ticks = this.options.y.log ? powers(y, rows) : this.y.ticks(rows);
    this.axisX.attr("transform", `translate(0,${bottom})`).call(this.options.x.names
      ? axisBottom(this.x).tickValues(this.options.x.names.map((_, i) => i + 0.5)).tickFormat((at) => this.options.x.names[Math.floor(at)]).tickSize(0).tickPadding(7)
      : axisBottom(this.x).ticks(columns, this.options.x.format).tickSize(4));
    this.axisY.attr("transform", `translate(${left},0)`).call(axisLeft(this.y).tickValues(ticks).tickFormat(this.options.y.format || this.y.tickFormat(rows)).tickSize(4));
    this.grid.selectAll("line").data(ticks).join("line")
      .attr("x1", left).attr("x2", right).attr("y1", this.y).attr("y2", this.y)
      .attr("class", (d) => (d === 0 && !this.options.y.log ? "zero" : null));
    this.labelX.attr("x", right).attr("y", height - 2);
    return true;
  }

  /** Draw curves [{points: [[x, y], ...], color, class}]; points that are not finite leave a gap. */
  curves(list) {
    const path = line().x((p) => this.x(p[0])).y((p) => this.y(p[1])).defined((p) => Number.isFinite(p[1]) && (!this.options.y.log || p[1] > 0));
    this.plot.selectAll("path.curve").data(list).join("path")
      .attr("class", (d) => `curve ${d.class || ""}`).attr("stroke", (d) => d.color).attr("stroke-dasharray", (d) => d.dash || null).attr("d", (d) => path(d.points));
  }

  /** Call back with the data coordinates under a finger or mouse that is pressed and moved, and whether it begins. */
  onDrag(moved) {
    const pad = this.svg.insert("rect", ":first-child").attr("class", "pad");
    this.pad = () => pad.attr("x", this.box.left).attr("y", this.box.top).attr("width", this.box.right - this.box.left).attr("height", this.box.bottom - this.box.top);
    const node = this.svg.node();
    const tell = (event) => {
      const at = node.getBoundingClientRect();
      moved(this.x.invert(event.clientX - at.left), this.y.invert(event.clientY - at.top), event.type === "pointerdown");
    };
    node.style.touchAction = "pan-y";
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      node.setPointerCapture(event.pointerId);
      tell(event);
    });
    node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) tell(event); });
  }
}
