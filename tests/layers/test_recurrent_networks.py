"""RNN, LSTM and GRU: torch's in value, gradient and weights, loaded both ways."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from livegrad.layers.recurrent_networks import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    RNNCell,
    gru_step,
    lstm_step,
    rnn_step,
)

PAIRS = [(RNN, nn.RNN), (LSTM, nn.LSTM), (GRU, nn.GRU)]
CELLS = [(rnn_step, nn.RNNCell), (lstm_step, nn.LSTMCell), (gru_step, nn.GRUCell)]
every = pytest.mark.parametrize(("ours", "torchs"), PAIRS)


def double(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def parts(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def twins(ours, torchs, *arguments, **options) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    theirs = torchs(*arguments, **options)
    torch.manual_seed(0)
    mine = ours(*arguments, **options)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(mine.state_dict()[name], value)
    return mine.double(), theirs.double()


def everything(layer: nn.Module, x: Tensor, start: tuple[Tensor, ...] | None) -> list[Tensor]:
    """Outputs, last states, and the gradients of input, start and all weights."""
    x = x.clone().requires_grad_()
    leaves = [x, *layer.parameters()]
    hx = None
    if start is not None:
        begin = tuple(s.clone().requires_grad_() for s in start)
        leaves += begin
        hx = begin if len(begin) == 2 else begin[0]
    output, last = layer(x, hx)
    results = [output, *parts(last)]
    loss = sum((r * double(*r.shape, seed=9)).sum() for r in results)
    return [r.detach() for r in results] + list(torch.autograd.grad(loss, leaves))


@pytest.mark.parametrize("with_start", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 3}, {"bias": False}, {"batch_first": True, "num_layers": 2}], ids=str
)
@every
def test_outputs_states_and_all_gradients_are_torchs(ours, torchs, options, with_start) -> None:
    mine, theirs = twins(ours, torchs, 3, 5, **options)
    shape = (options.get("num_layers", 1), 4, 5)
    start = tuple(double(*shape, seed=s) for s in range(2 if ours is LSTM else 1)) if with_start else None
    x = double(4, 6, 3) if options.get("batch_first") else double(6, 4, 3)
    for mode in (True, False):
        results = [everything(layer.train(mode), x, start) for layer in (mine, theirs)]
        torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


@every
def test_weights_load_into_torchs_layer_and_from_it(ours, torchs) -> None:
    mine, theirs = ours(3, 5, 2).double(), torchs(3, 5, 2).double()
    x = double(6, 4, 3)
    theirs.load_state_dict(mine.state_dict())
    torch.testing.assert_close(mine(x)[0], theirs(x)[0], rtol=1e-12, atol=1e-12)
    fresh = ours(3, 5, 2).double()
    fresh.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(fresh(x)[0], theirs(x)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("step", "cell"), CELLS)
def test_a_step_is_that_of_torchs_cell(step, cell) -> None:
    torch.manual_seed(0)
    theirs = cell(3, 5).double()
    weights = (theirs.weight_ih, theirs.weight_hh, theirs.bias_ih, theirs.bias_hh)
    state = (double(4, 5, seed=1), double(4, 5, seed=2))[: 2 if cell is nn.LSTMCell else 1]
    found = step(double(4, 3), state, weights)
    expected = parts(theirs(double(4, 3), state if len(state) == 2 else state[0]))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("with_start", [False, True])
@pytest.mark.parametrize("batch", [(4,), (0,), ()], ids=["batch", "empty", "single"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("ours", "torchs"), [(RNNCell, nn.RNNCell), (LSTMCell, nn.LSTMCell), (GRUCell, nn.GRUCell)])
def test_a_cell_is_torchs_in_value_gradient_and_weights_both_ways(ours, torchs, bias, batch, with_start) -> None:
    mine, theirs = twins(ours, torchs, 3, 5, bias=bias)
    start = tuple(double(*batch, 5, seed=s) for s in (1, 2))[: 2 if ours is LSTMCell else 1] if with_start else None

    def results(cell: nn.Module) -> list[Tensor]:
        x = double(*batch, 3).requires_grad_()
        hx = None if start is None else tuple(s.clone().requires_grad_() for s in start)
        first = parts(cell(x, hx if hx is None or len(hx) == 2 else hx[0]))
        second = parts(cell(2 * x, first if len(first) == 2 else first[0]))  # a state is handed on
        loss = sum((r * double(*r.shape, seed=9)).sum() for r in second)
        return [*first, *second, *torch.autograd.grad(loss, [x, *(hx or ()), *cell.parameters()])]

    torch.testing.assert_close(results(mine), results(theirs), rtol=1e-10, atol=1e-10)
    fresh = ours(3, 5, bias=bias).double()
    fresh.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(fresh.state_dict())
    torch.testing.assert_close(results(fresh), results(theirs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("cell", "layer"), [(RNNCell, RNN), (LSTMCell, LSTM), (GRUCell, GRU)])
def test_a_layer_is_its_cell_step_by_step_in_any_layout_and_precision(cell, layer) -> None:
    torch.manual_seed(0)
    one, whole = cell(3, 5).double(), layer(3, 5).double()
    whole.load_state_dict({f"{name}_l0": value for name, value in one.state_dict().items()})
    sequence, state = double(4, 3, 6).permute(2, 0, 1), None  # rows that are not contiguous
    for x in sequence:
        state = one(x, state)
    torch.testing.assert_close(parts(state)[0], whole(sequence)[0][-1], rtol=1e-12, atol=1e-12)
    exact = parts(one(sequence[0]))[0]
    low = parts(one.bfloat16()(sequence[0].bfloat16()))[0]
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.double(), exact, rtol=0, atol=0.02)  # some roundings of 0.4 % of numbers below 1
    with torch.autocast("cpu", torch.bfloat16):
        mixed = parts(one.float()(sequence[0].float()))[0]
    torch.testing.assert_close(mixed.double(), exact, rtol=0, atol=0.02)


def test_open_and_closed_gates_keep_and_forget_by_hand() -> None:
    zeros = torch.zeros(4, 1), torch.zeros(4, 1)
    keep = torch.tensor([-50.0, 50.0, 0.0, 50.0])  # i shut, f open, o open
    _, c = lstm_step(torch.ones(1, 1), (torch.zeros(1, 1), torch.tensor([[0.7]])), (*zeros, keep, torch.zeros(4)))
    assert c.item() == pytest.approx(0.7)
    forget = torch.tensor([-50.0, -50.0, 0.0, 50.0])
    _, c = lstm_step(torch.ones(1, 1), (torch.zeros(1, 1), torch.tensor([[0.7]])), (*zeros, forget, torch.zeros(4)))
    assert c.item() == pytest.approx(0.0, abs=1e-12)
    zeros = torch.zeros(3, 1), torch.zeros(3, 1)
    (h,) = gru_step(
        torch.ones(1, 1), (torch.tensor([[0.7]]),), (*zeros, torch.tensor([0.0, 50.0, 5.0]), torch.zeros(3))
    )
    assert h.item() == pytest.approx(0.7)


@every
def test_a_sequence_can_be_cut_in_two(ours, torchs) -> None:
    layer, x = ours(3, 5, 2).double(), double(6, 4, 3)
    whole, last = layer(x)
    first, state = layer(x[:2])
    second, end = layer(x[2:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    torch.testing.assert_close(parts(end), parts(last))


@every
def test_empty_batches_memory_layouts_and_mixed_precision(ours, torchs) -> None:
    layer = ours(3, 5).double()
    empty = torch.empty(6, 0, 3, dtype=torch.float64, requires_grad=True)
    output, _ = layer(empty)
    assert output.shape == (6, 0, 5)
    output.sum().backward()
    x = double(4, 6, 3).transpose(0, 1)
    assert not x.is_contiguous()
    torch.testing.assert_close(layer(x)[0], layer(x.contiguous())[0])
    exact = layer(x)[0]
    low = layer.bfloat16()(x.bfloat16())[0]
    assert low.dtype == torch.bfloat16
    # Six steps, each with some roundings of 0.4 % of numbers below 1.
    torch.testing.assert_close(low.double(), exact, rtol=0, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = layer.float()(x.float())[0]
    torch.testing.assert_close(mixed.double(), exact, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RNN(0, 3), "input_size must be at least 1, got 0"),
        (lambda: LSTM(3, 0), "hidden_size must be at least 1, got 0"),
        (lambda: GRU(3, 3, 0), "num_layers must be at least 1, got 0"),
        (lambda: RNN(3, 5)(torch.ones(6, 4, 2)), r"input must have shape \(L, N, 3\), got \(6, 4, 2\)"),
        (lambda: RNN(3, 5, batch_first=True)(torch.ones(6, 3)), r"input must have shape \(N, L, 3\), got \(6, 3\)"),
        (lambda: RNNCell(0, 3), "input_size must be at least 1, got 0"),
        (lambda: LSTMCell(3, 0), "hidden_size must be at least 1, got 0"),
        (lambda: GRUCell(3, 5)(torch.ones(4, 2)), r"input must have shape \(N, 3\), got \(4, 2\)"),
        (lambda: RNNCell(3, 5)(torch.ones(2, 4, 3)), r"input must have shape \(N, 3\), got \(2, 4, 3\)"),
        (lambda: GRUCell(3, 5)(torch.ones(4, 3), torch.ones(5)), r"hx must have shape \(4, 5\), got \(5,\)"),
        (
            lambda: LSTMCell(3, 5)(torch.ones(4, 3), (torch.ones(4, 5), torch.ones(1, 5))),
            r"hx must have shape \(4, 5\), got \(1, 5\)",
        ),
        (lambda: GRU(3, 5)(torch.ones(0, 4, 3)), "input must have at least 1 step, got 0"),
        (lambda: GRU(3, 5)(torch.ones(2, 4, 3), torch.ones(4, 5)), r"hx must have shape \(1, 4, 5\), got \(4, 5\)"),
    ],
)
def test_wrong_sizes_are_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
