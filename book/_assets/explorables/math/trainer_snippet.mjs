// The Python behind tiny-trainer's numbers.
import { activation as named, literal, sorted } from "../frame/python.mjs";
import { find } from "./activations.mjs";

/** parts: [{end, lr, activation}], the present rate and activation last. Prints loss, accuracy and dead units. */
export function snippet({ sizes, data, noise, seed, count, parts }) {
  const used = [...new Set(parts.map(({ activation }) => activation))].map(find);
  const python = Object.fromEntries(used.map((entry) => [entry.name, named(entry, entry.parameter?.value)]));
  return [
    ...sorted("import math", "import torch", "from torch.nn.functional import binary_cross_entropy_with_logits",
      "from livegrad.lab.generator import normal", "from livegrad.lab.toys import toy", ...used.flatMap(({ name }) => python[name].imports)),
    ...(used.some(({ name }) => python[name].definition.length) ? used.flatMap(({ name }) => python[name].definition) : [""]),
    `seed, sizes = ${seed}, [${sizes.join(", ")}]`,
    `x, y = toy("${data}", ${count}, ${literal(noise)}, seed)`,
    "weights, biases = [], []",
    "for layer, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):",
    "    w = math.sqrt(2 / fan_in) * normal((fan_out, fan_in), seed, stream=10 + layer)",
    "    weights.append(w.requires_grad_())",
    "    biases.append(torch.zeros(fan_out, dtype=torch.float64, requires_grad=True))",
    "",
    "",
    "def forward(f):",
    "    h, sums = x, []",
    "    for w, b in zip(weights, biases):",
    "        sums.append(h @ w.T + b)",
    "        h = f(sums[-1])",
    "    return sums",
    "",
    "",
    "step = 0",
    `for end, lr, f in [${parts.map(({ end, lr, activation }) => `(${end}, ${literal(lr)}, ${python[activation].f})`).join(", ")}]:`,
    "    while step < end:",
    "        loss = binary_cross_entropy_with_logits(forward(f)[-1][:, 0], y)",
    "        gradients = torch.autograd.grad(loss, weights + biases)",
    "        with torch.no_grad():",
    "            for p, g in zip(weights + biases, gradients):",
    "                p -= lr * g",
    "        step += 1",
    "",
    "sums = forward(f)",
    "z = sums[-1][:, 0].detach()",
    "loss = binary_cross_entropy_with_logits(z, y)",
    "accuracy = ((z > 0) == (y > 0.5)).double().mean()",
    "dead = [int((torch.autograd.grad(f(a).sum(), a)[0] == 0).all(dim=0).sum()) for a in sums[:-1]]",
    'print(f"loss {loss.item():.6g}, accuracy {accuracy.item():.4g}, dead units by layer {dead}")',
  ].join("\n");
}
