// The Python behind the activation explorer's numbers.
import { activation, literal, sorted } from "../frame/python.mjs";

/** Prints value, slope and gain of the activation at x. */
export function snippet(entry, parameter, x) {
  const { imports, definition, f } = activation(entry, parameter);
  return [
    ...sorted("import torch", "from livegrad.initializers.gain import calculate_gain", ...imports),
    ...(definition.length ? definition : [""]),
    `f = ${f}`,
    `x = torch.tensor(${literal(x)}, dtype=torch.float64, requires_grad=True)`,
    "y = f(x)",
    "(slope,) = torch.autograd.grad(y, x)",
    'print(f"value {y.item():.6g}, slope {slope.item():.6g}, gain {calculate_gain(f):.6g}")',
  ].join("\n");
}
