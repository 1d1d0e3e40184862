"""A scalar autograd engine: numbers that remember how they were made, and a tiny network on top of them.

Source: the reverse sweep: Linnainmaa 1976, "Taylor expansion of the accumulated rounding error",
https://doi.org/10.1007/BF01931367; for networks: Rumelhart, Hinton & Williams 1986, equations (4) to (7),
https://doi.org/10.1038/323533a0; the form, one class of scalars and a network: Karpathy 2020, micrograd,
https://github.com/karpathy/micrograd
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise


class Value:
    """A number; `data` is its value and, after `backward` on a later result, `grad` is that result's slope in it.

    A result of an operation also keeps the numbers it was made from, `parents`, and for each of them `slopes`: how
    fast the result changes with this parent while the others stand still. Everything else follows from that.
    """

    __slots__ = ("data", "grad", "parents", "slopes")

    def __init__(self, data: float, parents: Sequence[Value] = (), slopes: Sequence[float] = ()) -> None:
        self.data, self.grad = float(data), 0.0
        self.parents, self.slopes = tuple(parents), tuple(slopes)

    def __repr__(self) -> str:
        return f"Value({self.data:g}, grad={self.grad:g})"

    def __add__(self, other: Value | float) -> Value:
        other = as_value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = as_value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, n: float) -> Value:
        """selfⁿ for a number n. The slope at 0 is n · 0ⁿ⁻¹: infinite for 0 < n < 1, and 0 for n = 0."""
        if not isinstance(n, (int, float)):
            raise TypeError(f"n must be a number, got {type(n).__name__}")
        if n == 0:
            slope = 0.0
        elif self.data == 0 and n < 1:
            slope = math.inf
        else:
            slope = n * self.data ** (n - 1)
        return Value(self.data**n, (self,), (slope,))

    def exp(self) -> Value:
        """e to the power self, which is its own slope."""
        y = math.exp(self.data)
        return Value(y, (self,), (y,))

    def log(self) -> Value:
        """ln self, with slope 1 / self."""
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def tanh(self) -> Value:
        """tanh self, with slope 1 − tanh² self."""
        y = math.tanh(self.data)
        return Value(y, (self,), (1 - y * y,))

    def relu(self) -> Value:
        """max(self, 0), with slope 0 at 0 as in torch."""
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))

    def __neg__(self) -> Value:
        return self * -1.0

    def __sub__(self, other: Value | float) -> Value:
        return self + -as_value(other)

    def __truediv__(self, other: Value | float) -> Value:
        return self * as_value(other) ** -1

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: float) -> Value:
        return as_value(other) - self

    def __rtruediv__(self, other: float) -> Value:
        return as_value(other) / self

    def history(self) -> list[Value]:
        """Every number this one was made from and itself, each after its parents."""
        order: list[Value] = []
        seen: set[Value] = set()
        stack = [(self, False)]  # our own: Python's stops at 1000 calls, and graphs are deeper
        while stack:
            value, parents_done = stack.pop()
            if parents_done:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                stack.append((value, True))
                stack.extend((parent, False) for parent in value.parents)
        return order

    def backward(self) -> None:
        """Add ∂self/∂v to `grad` of every number v in the history, the chain rule once through it from the back.

        Gradients add up over several calls, as in torch; set `grad` to 0 to start again.
        """
        arrived = dict.fromkeys(self.history(), 0.0)
        arrived[self] = 1.0
        for value, grad in reversed(arrived.items()):  # when its turn comes, all that uses it has reported
            value.grad += grad
            for parent, slope in zip(value.parents, value.slopes, strict=True):
                arrived[parent] += slope * grad


def as_value(x: Value | float) -> Value:
    """x itself if it is a Value, else a Value of that number."""
    return x if isinstance(x, Value) else Value(x)


class MLP:
    """A multilayer perceptron of `Value`s: tanh after every layer but the last.

    Weights are drawn from U(-1/√n_in, 1/√n_in), the range of torch.nn.Linear; biases start at 0. sizes are the widths
    from input to output, at least two, all positive.
    """

    def __init__(self, sizes: Sequence[int], seed: int = 0) -> None:
        if not (len(sizes) >= 2 and all(size >= 1 for size in sizes)):
            raise ValueError(f"sizes must hold at least 2 widths, all at least 1, got {list(sizes)}")
        draw = random.Random(seed).uniform
        self.weights = [
            [[Value(draw(-1, 1) / n_in**0.5) for _ in range(n_in)] for _ in range(n_out)]
            for n_in, n_out in pairwise(sizes)
        ]
        self.biases = [[Value(0.0) for _ in range(n_out)] for n_out in sizes[1:]]

    def __call__(self, x: Sequence[Value | float]) -> list[Value]:
        if len(x) != len(self.weights[0][0]):
            raise ValueError(f"x must hold {len(self.weights[0][0])} numbers, got {len(x)}")
        h = [as_value(number) for number in x]
        for layer, (rows, biases) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            z = [sum((w * v for w, v in zip(row, h, strict=True)), b) for row, b in zip(rows, biases, strict=True)]
            h = z if layer == len(self.weights) else [v.tanh() for v in z]
        return h

    def parameters(self) -> list[Value]:
        """Layer by layer: the weights, row by row, then the biases."""
        layers = zip(self.weights, self.biases, strict=True)
        return [value for rows, biases in layers for values in (*rows, biases) for value in values]
