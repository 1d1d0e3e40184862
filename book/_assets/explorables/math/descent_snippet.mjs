// The Python behind the descent explorable's numbers.
import { literal, optimizerImport, sorted } from "../frame/python.mjs";
import { optimizer } from "./descent.mjs";

/** Prints where each racer ends and the value there. */
export function snippet(place, begin, racers, steps, noise) {
  const imports = [], lines = [];
  for (const { name, lr, beta } of racers) {
    const { label, torch: [type, options] } = optimizer(name);
    const given = Object.entries(options).map(([key, value]) => {
      if (value === "beta") return `${key}=${literal(beta)}`;
      return value === "pair" ? `${key}=(${literal(beta)}, 0.999)` : `${key}=True`;
    });
    const call = optimizerImport(type, Object.keys(options));
    imports.push(call.line);
    lines.push(`    "${label}": lambda p: ${type}([p], ${[`lr=${literal(lr)}`, ...given].join(", ")}),`);
  }
  if (noise) imports.push("from livegrad.lab.generator import normal");
  return [
    ...sorted("import torch", ...imports),
    "",
    "",
    "def f(p):",
    "    x, y = p",
    `    return ${place.code}`,
    "",
    "",
    "racers = {",
    ...lines,
    "}",
    ...(noise ? [`noise = ${literal(noise.scale)} * normal((${steps}, 2), seed=${noise.seed})`] : []),
    "for name, make in racers.items():",
    `    p = torch.tensor([${begin.map(literal).join(", ")}], dtype=torch.float64, requires_grad=True)`,
    "    optimizer = make(p)",
    `    for t in range(${steps}):`,
    "        optimizer.zero_grad()",
    "        f(p).backward()",
    ...(noise ? ["        p.grad += noise[t]"] : []),
    "        optimizer.step()",
    '    print(f"{name}: x {p[0].item():.9g}, y {p[1].item():.9g}, f {f(p).item():.9g}")',
  ].join("\n");
}
