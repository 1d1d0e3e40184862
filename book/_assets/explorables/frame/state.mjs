// What a reader has set: read, corrected and written, without any drawing.
//
// A control is {kind: "number", min, max, step, value, integer?, log?}, {kind: "choice", options: [[value, label], ...], value}
// or {kind: "flag", value} or {kind: "text", pattern, value}. Numbers shown to a reader and numbers in an address are written the same way.

export const FRAGMENT = "#explore&";

/** A number as short as it can be at the given number of significant digits: "0.3", "−1.19", "1e-6". */
export function show(number, digits = 3) {
  if (Number.isNaN(number)) return "not a number";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  const size = Math.abs(number);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? number.toExponential(digits - 1) : number.toPrecision(digits);
  const [, body, exponent] = text.match(/^([^e]*)(?:e\+?(.*))?$/);
  const short = body.includes(".") ? body.replace(/\.?0+$/, "") : body;
  return (exponent ? `${short}e${exponent}` : short).replaceAll("-", "−");
}

/** The value that is nearest to what was asked for, and, where the two differ, a sentence that says so. */
export function correct(control, raw) {
  if (control.kind === "flag") {
    if ([true, "1", "true", "on"].includes(raw)) return { value: true, note: "" };
    if ([false, "0", "false", "off"].includes(raw)) return { value: false, note: "" };
    return { value: control.value, note: `${control.label}: “${raw}” is neither on nor off, so it is ${control.value ? "on" : "off"} again.` };
  }
  if (control.kind === "choice") {
    const found = control.options.find(([value]) => value === String(raw));
    if (found) return { value: found[0], note: "" };
    const fallback = control.options.find(([value]) => value === control.value);
    return { value: control.value, note: `${control.label}: there is no “${raw}”, so it is ${fallback ? fallback[1] : control.value} again.` };
  }
  if (control.kind === "text") {
    if (control.pattern.test(raw)) return { value: raw, note: "" };
    return { value: control.value, note: `${control.label}: “${String(raw).slice(0, 20)}” cannot be read and is left out.` };
  }
  const text = String(raw).trim().replace("−", "-").replace(",", ".");
  let number = text === "" ? NaN : Number(text);
  if (Number.isNaN(number)) {
    const said = text === "" ? "An empty field" : `“${String(raw).trim().slice(0, 20)}”`;
    return { value: control.value, note: `${control.label}: ${said} is not a number, so it is ${show(control.value, 6)} again.` };
  }
  if (control.integer) number = Math.round(number);
  const value = Math.min(control.max, Math.max(control.min, number));
  if (value === number) return { value, note: "" };
  const range = `${show(control.min, 6)} to ${show(control.max, 6)}`;
  return { value, note: `${control.label} goes from ${range}: ${show(number, 4)} became ${show(value, 6)}.` };
}

/** The control's value as text for an address or a field: plain ASCII, no more digits than were set. */
export function plain(control, value) {
  return control.kind === "flag" ? (value ? "1" : "0") : control.kind === "number" ? String(Number(value.toPrecision(12))) : value;
}

/** What the address says about one explorable: {key: text}. */
export function readFragment(hash, id) {
  if (!hash.startsWith(FRAGMENT)) return {};
  const entries = [...new URLSearchParams(hash.slice(FRAGMENT.length))];
  return Object.fromEntries(entries.filter(([key]) => key.startsWith(`${id}.`)).map(([key, value]) => [key.slice(id.length + 1), value]));
}

/** The address's fragment with one explorable's settings replaced; empty when nothing differs from the beginning. */
export function writeFragment(hash, id, settings) {
  const params = new URLSearchParams(hash.startsWith(FRAGMENT) ? hash.slice(FRAGMENT.length) : "");
  for (const key of [...params.keys()]) if (key.startsWith(`${id}.`)) params.delete(key);
  for (const [key, value] of Object.entries(settings)) params.set(`${id}.${key}`, value);
  const text = params.toString();
  return text ? FRAGMENT + text : "";
}

/** "mish x=-1.2" as {main: "mish", x: "-1.2"}: how a page presets an explorable. */
export function readPreset(text, main) {
  const words = (text || "").trim().split(/\s+/).filter(Boolean);
  return Object.fromEntries(words.map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? [main, word] : [word.slice(0, at), word.slice(at + 1)];
  }));
}

/** Where a number stands on its slider, from 0 to 1000, and back. Sliders of a wide range run over the logarithm. */
export const SLIDER = 1000;
export function toSlider(control, value) {
  const f = control.log ? Math.log : (v) => v;
  return (SLIDER * (f(value) - f(control.min))) / (f(control.max) - f(control.min));
}
export function fromSlider(control, position) {
  const t = position / SLIDER;
  const raw = control.log ? control.min * (control.max / control.min) ** t : control.min + (control.max - control.min) * t;
  const value = control.log && !control.integer ? Number(raw.toPrecision(2)) : control.min + Math.round((raw - control.min) / control.step) * control.step;
  return Math.min(control.max, Math.max(control.min, Number(value.toPrecision(12))));
}
