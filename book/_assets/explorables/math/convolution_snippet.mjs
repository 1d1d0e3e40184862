// The Python behind the convolution stepper's numbers.
import { literal } from "../frame/python.mjs";

export function snippet(digit, kernel, { mode, size, stride, padding, dilation }) {
  const rows = [0, 3, 6].map((i) => `[${kernel.slice(i, i + 3).map(literal).join(", ")}]`).join(", ");
  const call = {
    convolution: `conv2d(image, kernel, stride=${stride}, padding=${padding}, dilation=${dilation})`,
    max: `max_pool2d(image, kernel_size=${size}, stride=${stride})`,
    average: `avg_pool2d(image, kernel_size=${size}, stride=${stride})`,
  }[mode];
  return [
    "import torch",
    "from sklearn.datasets import load_digits",
    `from torch.nn.functional import ${call.split("(")[0]}`,
    "",
    "data = load_digits()",
    `image = torch.tensor(data.images[list(data.target).index(${digit})])[None, None]`,
    ...(mode === "convolution" ? [`kernel = torch.tensor([${rows}], dtype=torch.float64)[None, None]`] : []),
    `out = ${call}[0, 0]`,
    "print(*out.shape)",
    "for row in out.tolist():",
    '    print(*(f"{v:.6g}" for v in row))',
  ].join("\n");
}
