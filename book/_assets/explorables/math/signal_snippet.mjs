// The Python behind signal-propagation's numbers.
import { activation as named, literal, sorted } from "../frame/python.mjs";
import { find } from "./activations.mjs";
import { BATCH } from "./signal.mjs";

const SCALES = { lecun: "math.sqrt(1 / width)", kaiming: "math.sqrt(2 / width)", gain: "calculate_gain(f) / math.sqrt(width)" };

/** Prints, for each layer, the spread of its activations and the root mean square of its gradient. */
export function snippet({ depth, width, activation, init, sigma, skip, norm, format, seed }) {
  const entry = find(activation), { imports, definition, f } = named(entry, entry.parameter?.value);
  const draw = "normal((width, width), seed, stream=layer)", rounded = format !== "float64";
  const weight = {
    zeros: ["w = torch.zeros(width, width, dtype=torch.float64)"],
    xavier: ["bound = math.sqrt(6 / (width + width))", "w = bound * (2 * uniform((width, width), seed, stream=layer) - 1)"],
    normal: [`w = ${literal(sigma)} * ${draw}`],
  }[init] || (SCALES[init] ? [`w = ${SCALES[init]} * ${draw}`]
    : [`q, r = torch.linalg.qr(${draw}.T)`, "w = (q * r.diagonal().sign()).T"]);
  const axis = norm === "layer" ? "dim=1" : "dim=0";
  return [
    ...sorted("import math", "import torch", `from livegrad.lab.generator import normal${init === "xavier" ? ", uniform" : ""}`, ...imports,
      ...(init === "gain" ? ["from livegrad.initializers.gain import calculate_gain"] : [])),
    ...(definition.length ? definition : [""]),
    ...(rounded ? ["", `def store(t):  # keep as ${format}, compute in float64`, `    return t.to(torch.${format}).double()`, "", ""] : []),
    `depth, width, seed = ${depth}, ${width}, ${seed}`,
    `f = ${f}`,
    `h = ${rounded ? "store(" : ""}normal((${BATCH}, width), seed, stream=0)${rounded ? ")" : ""}.requires_grad_()`,
    "layers = []",
    "for layer in range(1, depth + 1):",
    ...[...weight, ...(rounded ? ["w = store(w)"] : []), "a = h @ w.T",
      ...(init === "lsuv" ? ["a = a / a.detach().std(correction=0)"] : []),
      ...(norm === "none" ? [] : [`a = (a - a.mean(${axis}, keepdim=True)) / (a.var(${axis}, keepdim=True, correction=0) + 1e-5).sqrt()`]),
      `out = f(a)${skip ? " + h" : ""}`, "out.retain_grad()", `h = ${rounded ? "store(out)" : "out"}`, "layers.append((out, h))"].map((line) => `    ${line}`),
    `h.backward(normal((${BATCH}, width), seed, stream=depth + 1))`,
    "for layer, (out, h) in enumerate(layers, 1):",
    "    size = h.std(correction=0).item()",
    '    print(f"layer {layer}: activations {size:.6g}, gradient {out.grad.square().mean().sqrt().item():.6g}")',
  ].join("\n");
}
