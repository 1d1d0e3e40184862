"""Sizes and values by torch's convolution and pooling, on scikit-learn's digits."""

from __future__ import annotations

from itertools import product

import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

KERNELS = [
    [-1, 0, 1, -2, 0, 2, -1, 0, 1],
    [-1, -2, -1, 0, 0, 0, 1, 2, 1],
    [0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1],
    [0, -1, 0, -1, 5, -1, 0, -1, 0],
    [-1, -1, -1, -1, 8, -1, -1, -1, -1],
    [0, 0, 0, 0, 1, 0, 0, 0, 0],
]


def test_convolution_and_pooling_are_torchs(node, site_extension):
    digits = site_extension.digits()
    data = load_digits()
    pictures = [data.images[list(data.target).index(d)].astype(int).flatten().tolist() for d in range(10)]
    cases = []

    def compare(digit: int, kernel: list[float], options: dict, out: torch.Tensor) -> None:
        result = out[0, 0]
        case = {"digit": digit, "kernel": kernel, "options": options, "side": len(result)}
        cases.append({**case, "result": result.flatten().tolist()})

    for i, (stride, padding, dilation) in enumerate(product((1, 2, 3, 4), (0, 1, 2), (1, 2, 3))):
        image = torch.tensor(pictures[i % 10], dtype=torch.float64).reshape(1, 1, 8, 8)
        kernel = KERNELS[i % len(KERNELS)]
        weight = torch.tensor(kernel, dtype=torch.float64).reshape(1, 1, 3, 3)
        options = {"mode": "convolution", "size": 3, "stride": stride, "padding": padding, "dilation": dilation}
        compare(i % 10, kernel, options, F.conv2d(image, weight, stride=stride, padding=padding, dilation=dilation))
    for size, stride in product((2, 3, 4), (1, 2, 3, 4)):
        image = torch.tensor(pictures[size], dtype=torch.float64).reshape(1, 1, 8, 8)
        plain = {"size": size, "stride": stride, "padding": 0, "dilation": 1}
        compare(size, KERNELS[0], {"mode": "max", **plain}, F.max_pool2d(image, size, stride))
        compare(size, KERNELS[0], {"mode": "average", **plain}, F.avg_pool2d(image, size, stride))
    node("convolution.test.mjs", {"cases": cases, "digits": digits, "pictures": pictures})
