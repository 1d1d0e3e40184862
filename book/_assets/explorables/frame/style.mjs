// The look of every explorable. Colors are the page's own variables, so the theme's switch is followed at once;
// the values behind the commas serve pages that have none.
export const STYLE = `
:host {
  --ink: var(--pst-color-text-base, #1f2933);
  --quiet: var(--lg-quiet, #52606d);
  --line: var(--lg-line, #dfe3e8);
  --paper: var(--pst-color-background, #ffffff);
  --panel: var(--lg-code, #f6f7f9);
  --accent: var(--lg-accent, #0b5c9e);
  --accent-soft: var(--lg-accent-soft, #e8f1f9);
  --warm: var(--pst-color-secondary, #a04700);
  border: 1px solid var(--line); border-radius: var(--lg-radius, 8px); box-sizing: border-box; color: var(--ink);
  container-type: inline-size; display: block; font: 0.95rem/1.5 var(--pst-font-family-base, system-ui, sans-serif);
  margin: 1.8rem 0; scroll-margin-top: 5rem; background: var(--paper); overflow: hidden;
}
:host(:not([data-drawn])) { visibility: hidden; } /* what is put in its place while nobody sees it does not jump */
:host([hidden]) { display: none; }
@media print { :host { display: none !important; } }
*, *::before { box-sizing: border-box; }
.body { padding: 0.9rem 1.1rem 1rem; }
.head { align-items: center; background: var(--panel); border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 0.2rem 0.6rem; padding: 0.3rem 0.5rem 0.3rem 1.1rem; }
.name { flex: 1 1 12rem; font-size: 1rem; font-weight: 650; letter-spacing: -0.01em; margin: 0; color: var(--pst-color-heading, inherit); }
::slotted(:first-child) { margin-top: 0 !important; }
::slotted(*) { color: var(--quiet) !important; font-size: 0.95rem !important; margin-bottom: 0.7rem !important; }
button { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; color: var(--ink); cursor: pointer; font: inherit; font-size: 0.9rem; min-height: 2.5rem; padding: 0.3rem 0.8rem; }
button:hover { border-color: var(--accent); color: var(--accent); }
button.main { background: var(--accent-soft); border-color: var(--accent); color: var(--accent); font-weight: 650; min-width: 6rem; }
button:disabled { cursor: default; opacity: 0.55; }
.head button { background: none; border-color: transparent; color: var(--quiet); min-height: 2.4rem; padding: 0.2rem 0.6rem; }
:focus-visible { border-radius: 4px; outline: 2.5px solid var(--accent); outline-offset: 2px; }
.stage { display: flex; flex-wrap: wrap; gap: 0.6rem 1rem; }
.stage > * { flex: 1 1 18rem; min-width: 0; position: relative; }
.stage > .whole { flex-basis: 100%; }
figure { margin: 0; }
figure > .title { color: var(--quiet); font-size: 0.88rem; font-weight: 600; margin: 0 0 0.1rem; }
svg { display: block; overflow: visible; width: 100%; }
svg text { fill: var(--quiet); font: 12px var(--pst-font-family-base, system-ui, sans-serif); font-variant-numeric: tabular-nums; }
svg .domain, svg .tick line { stroke: var(--quiet); stroke-opacity: 0.5; }
svg .grid line { stroke: var(--quiet); stroke-opacity: 0.18; }
svg .zero { stroke: var(--quiet); stroke-opacity: 0.55; }
svg .curve { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
svg .second { stroke-dasharray: 7 4; stroke-width: 2; }
svg .handle { cursor: grab; stroke: var(--paper); stroke-width: 2.5; }
svg .halo { fill: var(--accent); fill-opacity: 0; }
svg .pad { cursor: ew-resize; fill: transparent; touch-action: pan-y; }
canvas { border-radius: 6px; display: block; width: 100%; }
.controls { display: grid; gap: 0.35rem 1.6rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); margin-top: 0.8rem; }
.control { align-items: center; display: grid; gap: 0 0.6rem; grid-template-columns: minmax(5.2rem, auto) 1fr; min-height: 2.75rem; min-width: 0; }
.control.number { grid-template-columns: minmax(5.2rem, auto) 1fr 5.2rem; }
.control[hidden] { display: none; }
.control > label { font-size: 0.92rem; }
.control i, .readout i, .legend i { font-family: "Times New Roman", "Nimbus Roman", "Liberation Serif", serif; font-size: 1.1em; }
select, input[type="text"] { background: var(--paper); border: 1px solid var(--line); border-radius: 6px; color: var(--ink); font: inherit; font-variant-numeric: tabular-nums; min-height: 2.5rem; min-width: 0; padding: 0.2rem 0.5rem; width: 100%; }
input[type="text"] { text-align: right; }
input[type="range"] { accent-color: var(--accent); height: 2.5rem; margin: 0; min-width: 0; touch-action: pan-y; width: 100%; }
input[type="checkbox"] { accent-color: var(--accent); height: 1.2rem; margin: 0; width: 1.2rem; }
.control.flag { cursor: pointer; display: flex; }
.control.flag > label { cursor: pointer; flex: 1; padding: 0.6rem 0; }
.actions { align-items: center; display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.6rem; }
.readout { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-top: 0.7rem; width: 100%; }
.readout th, .readout td { border-bottom: 1px solid var(--line); padding: 0.28rem 0.5rem; text-align: right; }
.readout thead th { color: var(--quiet); font-size: 0.85rem; font-weight: 600; }
.readout th:first-child { text-align: left; font-weight: 600; }
.readout tr:last-child > * { border-bottom: none; }
.scroll { overflow-x: auto; }
.key { border-radius: 2px; display: inline-block; height: 0; margin-right: 0.5em; vertical-align: 0.25em; width: 1.5em; border-top: 3px solid; }
.key.dashed { border-top-style: dashed; }
.say { font-size: 0.95rem; margin: 0.7rem 0 0; min-height: 1.5em; }
.note { color: var(--warm); font-size: 0.92rem; font-weight: 600; margin: 0.5rem 0 0; }
.note:empty { display: none; }
.hidden { block-size: 1px; clip-path: inset(50%); inline-size: 1px; overflow: hidden; position: absolute; white-space: nowrap; }
details { border-top: 1px solid var(--line); margin: 0.9rem -1.1rem -1rem; padding: 0 1.1rem; }
summary { color: var(--quiet); cursor: pointer; font-size: 0.9rem; padding: 0.65rem 0; }
.code { position: relative; }
pre { background: var(--panel); border-radius: 6px; font: 0.83rem/1.5 var(--pst-font-family-monospace, monospace); margin: 0 0 0.9rem; overflow-x: auto; padding: 0.8rem; }
.code button { position: absolute; right: 0.4rem; top: 0.4rem; }
@container (max-width: 30rem) {
  .body { padding: 0.8rem 0.8rem 0.9rem; }
  .head { padding-left: 0.8rem; }
  .name { flex-basis: 100%; padding-top: 0.3rem; }
  .head button:first-of-type { margin-left: -0.6rem; }
  details { margin: 0.8rem -0.8rem -0.9rem; padding: 0 0.8rem; }
  .code button { position: static; margin-bottom: 0.5rem; }
  .readout th, .readout td { padding: 0.28rem 0.25rem; }
}
`;
