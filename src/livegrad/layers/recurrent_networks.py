"""Recurrent layers: a state h is carried from step to step; LSTM and GRU decide by gates what of it is kept.

RNN:  h ← tanh(W_ih x + b_ih + W_hh h + b_hh)
LSTM: c ← f ⊙ c + i ⊙ g and h ← o ⊙ tanh(c), gates i, f, o = σ(·) and new content g = tanh(·) of x and h
GRU:  h ← (1 − z) ⊙ n + z ⊙ h, gates r, z = σ(·), new content n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))

Source: Elman 1990, https://doi.org/10.1207/s15516709cog1402_1; Hochreiter & Schmidhuber 1997,
https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate f of Gers, Schmidhuber & Cummins 2000,
https://doi.org/10.1162/089976600300015015; Cho et al. 2014, https://arxiv.org/abs/1406.1078 (which multiplies h by r
before the matrix product; torch does it after, and so does this file).
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]  # W_ih, W_hh, b_ih, b_hh


def rnn_step(x: Tensor, state: tuple[Tensor, ...], weights: Weights) -> tuple[Tensor, ...]:
    """One step of the plain network; the state is (h,)."""
    w_ih, w_hh, b_ih, b_hh = weights
    return (torch.tanh(nn.functional.linear(x, w_ih, b_ih) + nn.functional.linear(state[0], w_hh, b_hh)),)


def lstm_step(x: Tensor, state: tuple[Tensor, ...], weights: Weights) -> tuple[Tensor, ...]:
    """One step of the LSTM; the state is (h, c). The rows of the weights hold the gates in the order i, f, g, o."""
    (h, c), (w_ih, w_hh, b_ih, b_hh) = state, weights
    i, f, g, o = (nn.functional.linear(x, w_ih, b_ih) + nn.functional.linear(h, w_hh, b_hh)).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x: Tensor, state: tuple[Tensor, ...], weights: Weights) -> tuple[Tensor, ...]:
    """One step of the GRU; the state is (h,). The rows of the weights hold r, z, n."""
    (h,), (w_ih, w_hh, b_ih, b_hh) = state, weights
    r_x, z_x, n_x = nn.functional.linear(x, w_ih, b_ih).chunk(3, dim=-1)
    r_h, z_h, n_h = nn.functional.linear(h, w_hh, b_hh).chunk(3, dim=-1)
    z = torch.sigmoid(z_x + z_h)
    n = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
    return ((1 - z) * n + z * h,)


class _Cell(nn.Module):
    """One step as a module in torch's shapes: input (N, input_size) or (input_size,), the state with hidden_size.

    Parameters have the names of torch's cells (weight_ih, weight_hh, bias_ih, bias_hh) and, from one seed, its numbers.
    """

    parts: ClassVar[int]  # how many blocks of hidden_size rows the weights have
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        _check(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.parts * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.register_parameter("bias_ih", nn.Parameter(torch.empty(rows)) if bias else None)
        self.register_parameter("bias_hh", nn.Parameter(torch.empty(rows)) if bias else None)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def _start(self, input: Tensor, given: tuple[Tensor, ...] | None, states: int = 1) -> tuple[Tensor, ...]:
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(f"input must have shape (N, {self.input_size}), got {tuple(input.shape)}")
        shape = (*input.shape[:-1], self.hidden_size)
        state = (input.new_zeros(shape),) * states if given is None else given
        for part in state:
            if tuple(part.shape) != shape:
                raise ValueError(f"hx must have shape {shape}, got {tuple(part.shape)}")
        return state

    def _weights(self) -> Weights:
        return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh


class RNNCell(_Cell):
    """One step of the plain network with tanh; returns the next h. Without `hx` it begins at zeros."""

    parts = 1

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return rnn_step(input, self._start(input, None if hx is None else (hx,)), self._weights())[0]


class GRUCell(_Cell):
    """One step of the gated recurrent unit; returns the next h. Without `hx` it begins at zeros."""

    parts = 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return gru_step(input, self._start(input, None if hx is None else (hx,)), self._weights())[0]


class LSTMCell(_Cell):
    """One step of the LSTM; returns the next (h, c). Without `hx` it begins at zeros."""

    parts = 4

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = lstm_step(input, self._start(input, hx, states=2), self._weights())
        return h, c


class _Recurrent(nn.Module):
    """Layers in torch's shapes: input (L, N, input_size), or (N, L, input_size) with `batch_first`.

    Parameters have torch's names (weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, …), so weights load from and
    into torch's layers, and from one seed torch's numbers: uniform in ±1/√hidden_size. One direction, no dropout
    between layers, no packed sequences.
    """

    step: ClassVar[str]
    parts: ClassVar[int]  # how many blocks of hidden_size rows the weights have
    states: ClassVar[int] = 1

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False
    ) -> None:
        super().__init__()
        _check(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first = bias, batch_first
        for layer in range(num_layers):
            rows, width = self.parts * hidden_size, input_size if layer == 0 else hidden_size
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(shape)))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(hidden_size), 1 / math.sqrt(hidden_size))

    def _weights(self, layer: int) -> Weights:
        b_ih, b_hh = (getattr(self, f"bias_{end}_l{layer}") if self.bias else None for end in ("ih", "hh"))
        return getattr(self, f"weight_ih_l{layer}"), getattr(self, f"weight_hh_l{layer}"), b_ih, b_hh

    def _run(self, input: Tensor, start: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        if input.ndim != 3 or input.shape[2] != self.input_size:
            axes = "(N, L" if self.batch_first else "(L, N"
            raise ValueError(f"input must have shape {axes}, {self.input_size}), got {tuple(input.shape)}")
        sequence = input.transpose(0, 1) if self.batch_first else input
        if not len(sequence) >= 1:
            raise ValueError("input must have at least 1 step, got 0")
        shape = (self.num_layers, sequence.shape[1], self.hidden_size)
        if start is None:
            start = (input.new_zeros(shape),) * self.states
        for part in start:
            if tuple(part.shape) != shape:
                raise ValueError(f"hx must have shape {shape}, got {tuple(part.shape)}")
        step = {"rnn": rnn_step, "lstm": lstm_step, "gru": gru_step}[self.step]
        last = []
        for layer in range(self.num_layers):
            state, weights, outputs = tuple(part[layer] for part in start), self._weights(layer), []
            for x in sequence:
                state = step(x, state, weights)
                outputs.append(state[0])
            sequence = torch.stack(outputs)
            last.append(state)
        ends = tuple(torch.stack(parts) for parts in zip(*last, strict=True))
        return sequence.transpose(0, 1) if self.batch_first else sequence, ends


class RNN(_Recurrent):
    """Plain (Elman) network with tanh; returns the outputs h of all steps and the last h of all layers."""

    step, parts = "rnn", 1

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, ends = self._run(input, None if hx is None else (hx,))
        return output, ends[0]


class GRU(_Recurrent):
    """Gated recurrent unit; returns the outputs h of all steps and the last h of all layers."""

    step, parts = "gru", 3

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, ends = self._run(input, None if hx is None else (hx,))
        return output, ends[0]


class LSTM(_Recurrent):
    """Long short-term memory; returns the outputs h of all steps and the last (h, c) of all layers."""

    step, parts, states = "lstm", 4, 2

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, (h, c) = self._run(input, hx)
        return output, (h, c)


def _check(**sizes: int) -> None:
    for name, value in sizes.items():
        if not value >= 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
