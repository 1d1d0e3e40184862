// Python snippets. Where livegrad has the function they import it, else torch's: the build (and a test) says which
// functions and classes the shelves hold, as {name: [file, [argument names]]}.
/* global LIVEGRAD_FUNCTIONS, LIVEGRAD_OPTIMIZERS */
const shelf = () => (typeof LIVEGRAD_FUNCTIONS === "undefined" ? {} : LIVEGRAD_FUNCTIONS);

/** A number as Python reads it. */
export const literal = (number) => (Number.isInteger(number) ? `${number}.0` : String(number));

/** {imports, f}: lines that make the activation's names known, and an expression for it as a function. */
export function activation(entry, parameter) {
  const [name, given] = entry.call || [entry.name, entry.parameter ? `${entry.parameter.name}=${literal(parameter)}` : ""];
  const [file, names] = shelf()[name] || [];
  const ours = file && (!given || names.includes(given.split("=")[0]));
  const torchs = ["tanh", "sigmoid"].includes(name) ? `from torch import ${name}` : `from torch.nn.functional import ${name}`;
  return {
    imports: ours ? [`from livegrad.activations.${file} import ${name}`] : entry.code ? [] : [torchs],
    definition: ours || !entry.code ? [] : ["", "", ...entry.code.split("\n"), ""],
    f: given ? `lambda x: ${name}(x, ${given})` : name,
  };
}

/** Import lines in the order that ruff and isort give them. */
export function sorted(...lines) {
  const rank = (line) => (line.includes("livegrad") ? 1 : 0) * 2 + (line.startsWith("from") ? 1 : 0);
  return [...new Set(lines)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** {line, ours}: where to import an optimizer from that must know these arguments. */
export function optimizerImport(type, options) {
  const [file, names] = (typeof LIVEGRAD_OPTIMIZERS === "undefined" ? {} : LIVEGRAD_OPTIMIZERS)[type] || [];
  const ours = Boolean(file) && ["lr", ...options].every((name) => names.includes(name));
  return { ours, line: ours ? `from livegrad.optimizers.${file} import ${type}` : `from torch.optim import ${type}` };
}

/** Where to import a function of torch.nn.functional from: livegrad, if its own takes these arguments. */
export function named(name, options = []) {
  const [file, names] = shelf()[name] || [];
  return file && options.every((option) => names.includes(option)) ? `from livegrad.activations.${file} import ${name}` : `from torch.nn.functional import ${name}`;
}
