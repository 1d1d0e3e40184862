// The Python behind the softmax explorable's numbers.
import { literal, named, sorted } from "../frame/python.mjs";

export function snippet(logits, temperature) {
  return [
    ...sorted("import torch", named("softmax", ["dim"])),
    "",
    `z = torch.tensor([${logits.map(literal).join(", ")}], dtype=torch.float32) / ${literal(temperature)}`,
    'print("naive ", z.exp() / z.exp().sum())',
    'print("stable", softmax(z, dim=0))',
  ].join("\n");
}
