// What all explorables have in common: controls, state in the address, reset, the Python, the words that are announced,
// and drawing only when there is something new and somebody can see it.
import { make, copy } from "./dom.mjs";
import { correct, fromSlider, plain, readFragment, readPreset, show, SLIDER, toSlider, writeFragment } from "./state.mjs";
import { STYLE } from "./style.mjs";

const QUIET = 500; // ms without a change before words are announced and the address is written

/**
 * A subclass gives: static title; static main (the control a bare preset names); controls() -> {key: control};
 * layout(stage) once; draw() after each change, false where there is nothing to show yet; summary() -> the state in a sentence; python() -> a snippet.
 * Optional: buttons() -> [[label, action, main?]]; changed(key) before drawing; preset(settings) when the page's are taken over; step(now) while playing.
 */
export class Explorable extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return this.#wake();
    this.specs = this.controls();
    this.state = {};
    this.#begin();
    this.#build();
    this.#read();
    this.#wake();
    this.setAttribute("data-ready", "");
    // The fragment is no element's id, so the browser does not go there by itself.
    if (Object.keys(readFragment(location.hash, this.id)).length) requestAnimationFrame(() => this.scrollIntoView({ behavior: "instant" }));
  }

  disconnectedCallback() {
    this.#asleep.abort();
    this.#sight.disconnect();
    this.#size.disconnect();
    this.#boxes.disconnect();
    this.#theme.disconnect();
    this.playing = false;
  }

  #asleep;
  #sight;
  #size;
  #theme;
  #boxes;
  #frame = 0;
  #stale = true;
  #width = 0;
  #timer = 0;
  #widgets = {};
  visible = false;
  playing = false;

  buttons() { return []; }
  changed() {}
  preset() {}
  step() {}

  /** Whether motion is to be left out: then what would play is shown at its end. */
  get still() { return matchMedia("(prefers-reduced-motion: reduce)").matches; }

  /** Values to begin with: the controls' own, then the page's preset. */
  #begin() {
    const preset = readPreset(this.getAttribute("preset"), this.constructor.main);
    for (const [key, text] of Object.entries(preset)) {
      if (!this.specs[key]) { console.error(`${this.localName}: preset names no control “${key}”`); continue; }
      const { value, note } = correct(this.specs[key], text);
      if (note) console.error(`${this.localName}: preset: ${note}`);
      this.specs[key].value = value;
    }
    this.preset(preset);
    for (const [key, control] of Object.entries(this.specs)) this.state[key] = control.value;
  }

  #build() {
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE + (this.constructor.style || ""));
    root.adoptedStyleSheets = [sheet];
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", this.constructor.title);
    this.stage = make("div", { class: "stage" });
    this.said = make("p", { class: "say" });
    this.noted = make("p", { class: "note", role: "alert" });
    this.announced = make("p", { class: "hidden", role: "status" });
    const actions = this.buttons().map(([label, action, main]) => make("button", { type: "button", class: main ? "main" : "", text: label, onclick: action }));
    this.actions = Object.fromEntries(this.buttons().map(([label], i) => [label, actions[i]]));
    this.code = make("code");
    const fold = make("details", { ontoggle: () => fold.open && this.#write() },
      make("summary", { text: "The Python for this" }),
      make("div", { class: "code" },
        this.#copier("Copy the Python", () => this.python()),
        make("pre", { tabindex: 0, "aria-label": "Python code" }, this.code)));
    this.fold = fold;
    root.append(
      make("div", { class: "head" }, make("p", { class: "name", text: this.constructor.title }),
        this.#copier("Copy link", () => { this.#write(); return this.link(); }),
        make("button", { type: "button", text: "Reset", onclick: () => this.reset() })),
      make("div", { class: "body" },
        make("slot"), this.stage,
        ...(actions.length ? [make("div", { class: "actions" }, ...actions)] : []),
        make("div", { class: "controls" }, ...Object.entries(this.specs).map(([key, control]) => this.#widget(key, control))),
        this.said, this.noted, this.announced, fold));
    this.layout(this.stage);
  }

  #copier(label, text) {
    const button = make("button", { type: "button", text: label });
    button.addEventListener("click", async () => {
      try {
        await copy(text());
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      this.announced.textContent = button.textContent;
      setTimeout(() => { button.textContent = label; }, 1600);
    });
    return button;
  }

  #widget(key, control) {
    const id = `c-${key}`;
    const name = make("label", { for: id, html: control.html || "", ...(control.html ? {} : { text: control.label }) });
    if (control.kind === "flag") {
      const box = make("input", { type: "checkbox", id, onchange: () => this.set(key, box.checked) });
      this.#widgets[key] = { row: make("div", { class: "control flag" }, box, name), update: (value) => { box.checked = value; } };
    } else if (control.kind === "text") { // lives in the address alone
      this.#widgets[key] = { row: make("div", { class: "control", hidden: true }), update: () => {} };
    } else if (control.kind === "choice") {
      const list = make("select", { id, onchange: () => this.set(key, list.value) }, ...control.options.map(([value, label]) => make("option", { value, text: label })));
      this.#widgets[key] = { row: make("div", { class: "control" }, name, list), update: (value) => { list.value = value; } };
    } else {
      const slider = make("input", { type: "range", id, min: 0, max: SLIDER, step: "any" });
      const field = make("input", { type: "text", inputmode: control.min < 0 ? "text" : "decimal", "aria-label": `${control.label}, as a number`, autocomplete: "off" });
      slider.addEventListener("input", () => this.set(key, fromSlider(control, slider.valueAsNumber), slider));
      // The arrows go by the control's own step, not by thousandths of the slider.
      slider.addEventListener("keydown", (event) => {
        const sign = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
        if (!sign) return;
        event.preventDefault();
        const value = this.state[key];
        const next = control.log && !control.integer ? Number((value * 10 ** (sign / 20)).toPrecision(2)) : value + sign * control.step;
        this.set(key, correct(control, Number((control.log && next === value ? value * (sign > 0 ? 1.1 : 0.9) : next).toPrecision(12))).value);
      });
      field.addEventListener("change", () => this.#typed(key, field));
      const update = (value, by) => {
        if (by !== slider) slider.value = toSlider(control, value);
        slider.setAttribute("aria-valuetext", show(value, 6));
        field.value = plain(control, value).replace("-", "−");
      };
      this.#widgets[key] = { row: make("div", { class: "control number" }, name, slider, field), update };
    }
    return this.#widgets[key].row;
  }

  #typed(key, field) {
    const { value, note } = correct({ ...this.specs[key], value: this.state[key] }, field.value);
    this.set(key, value);
    this.note(note);
  }

  /** Say that something was corrected; an empty text takes the sentence away. */
  note(text) { this.noted.textContent = text; }

  /** Change one setting; what it means is drawn in the next frame. */
  set(key, value, by) {
    this.note("");
    this.state[key] = value;
    this.#widgets[key].update(value, by);
    this.changed(key);
    this.#settle();
  }

  /** Change a setting that follows from others, without being asked. */
  quietly(key, value) {
    this.state[key] = value;
    this.#widgets[key].update(value);
  }

  #settle() {
    this.#shown();
    this.redraw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => { this.#write(); this.announced.textContent = this.summary(); }, QUIET);
  }

  #shown() {
    for (const [key, control] of Object.entries(this.specs)) this.#widgets[key].row.hidden = control.when ? !control.when(this.state) : false;
  }

  reset() {
    for (const [key, control] of Object.entries(this.specs)) {
      this.state[key] = control.value;
      this.#widgets[key].update(control.value);
    }
    this.note("");
    this.playing = false;
    this.changed(null);
    this.#settle();
  }

  /** Take over what the address says about this explorable. */
  #read() {
    const notes = [];
    const asked = readFragment(location.hash, this.id);
    for (const [key, control] of Object.entries(this.specs)) {
      const { value, note } = key in asked ? correct(control, asked[key]) : { value: control.value, note: "" };
      if (note) notes.push(note);
      this.state[key] = value;
      this.#widgets[key].update(value);
    }
    for (const key of Object.keys(asked)) if (!this.specs[key]) notes.push(`The address names a setting that is not here: “${key}”.`);
    this.note(notes.join(" "));
    this.changed(null);
    this.#shown();
    this.redraw();
  }

  #write() {
    clearTimeout(this.#timer);
    if (this.fold.open) this.code.textContent = this.python();
    const settings = {};
    for (const [key, control] of Object.entries(this.specs)) if (this.state[key] !== control.value) settings[key] = plain(control, this.state[key]);
    const fragment = writeFragment(location.hash, this.id, settings);
    if (fragment === location.hash || (!fragment && !location.hash.startsWith("#explore"))) return;
    history.replaceState(history.state, "", fragment || location.pathname + location.search);
  }

  /** The page's address with this explorable's state. */
  link() { return location.hash.startsWith("#explore") ? location.href : `${location.href.split("#")[0]}#${this.id}`; }

  #wake() {
    this.#asleep = new AbortController();
    const { signal } = this.#asleep;
    addEventListener("hashchange", () => this.#read(), { signal });
    document.addEventListener("visibilitychange", () => this.redraw(), { signal });
    this.#sight = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible) this.redraw();
    }, { rootMargin: "100px" });
    this.#sight.observe(this);
    this.#size = new ResizeObserver(() => {
      if (this.#width && this.#width !== this.clientWidth) this.style.minHeight = "";
      this.redraw();
    });
    this.#size.observe(this);
    // What a box holds widens without the box: looked at after each drawing too.
    this.#boxes = new ResizeObserver(() => this.#reachable());
    this.shadowRoot.querySelectorAll(".scroll").forEach((box) => this.#boxes.observe(box));
    document.fonts.addEventListener("loadingdone", () => this.#reachable(), { signal });
    // Canvases do not follow the page's colors by themselves.
    this.#theme = new MutationObserver(() => this.redraw());
    this.#theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw(), { signal });
  }

  /** Boxes that scroll sideways can be reached by keyboard; boxes that do not are no stop on the way. */
  #reachable() {
    for (const box of this.shadowRoot.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }

  /** Give back the room that was kept free and is not needed, once, and only where nothing in sight moves by it. */
  #fit() {
    if (this.style.minHeight) return;
    const { top, bottom } = this.getBoundingClientRect(), end = this.shadowRoot.lastElementChild.getBoundingClientRect().bottom + 1;
    if (end >= bottom || end < innerHeight) return;
    this.style.minHeight = `${Math.ceil(end - top)}px`;
    this.#width = this.clientWidth;
  }

  /** One of the page's colors, for a canvas. */
  color(name) { return getComputedStyle(this).getPropertyValue(`--${name}`).trim(); }

  /** Draw in the next frame; off screen, when it is seen again. */
  redraw() {
    this.#stale = true;
    this.#request();
  }

  play() {
    this.playing = true;
    this.#request();
  }

  #request() {
    if (this.#frame || !this.visible || document.hidden) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0;
      if (!this.isConnected) return;
      if (this.playing) { this.step(now); this.#stale = true; }
      if (this.#stale) {
        this.#stale = false;
        const begin = performance.now();
        if (this.draw() === false) return;
        this.#reachable();
        this.#fit();
        this.toggleAttribute("data-drawn", true);
        this.frames = (this.frames || 0) + 1;
        this.drawTime = performance.now() - begin;
        if (this.fold.open && !this.playing) this.code.textContent = this.python();
      }
      if (this.playing) this.#request();
    });
  }
}

export function define(name, element) {
  if (!customElements.get(`lg-${name}`)) customElements.define(`lg-${name}`, element);
}
