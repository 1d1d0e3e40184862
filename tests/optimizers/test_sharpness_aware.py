"""SAM beyond the contract: a step by hand, both interfaces, other bases, groups and dtypes, faults in the middle."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from livegrad.optimizers.sharpness_aware import SAM


def bowl(parameters: list[Tensor]) -> Tensor:
    return sum((p.double().square() - torch.cos(3 * p.double()) / 2).sum() for p in parameters)


def start(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


def closure_of(optimizer: torch.optim.Optimizer, parameters: list[Tensor]) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = bowl(parameters)
        loss.backward()
        return loss

    return closure


def test_a_step_equals_the_one_computed_by_hand() -> None:
    p = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    optimizer = SAM([p], lr=0.1, rho=0.5)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = p.square().sum() / 2
        loss.backward()
        return loss

    # g = (3, 4), ‖g‖ = 5, ε = (0.3, 0.4): the gradient there is (3.3, 4.4).
    assert optimizer.step(closure).item() == pytest.approx(12.5, rel=1e-15)
    assert p.tolist() == pytest.approx([3 - 0.33, 4 - 0.44], rel=1e-15)


@pytest.mark.parametrize(
    ("base", "options"),
    [
        (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
        (torch.optim.Adam, {"lr": 0.05}),
        (torch.optim.AdamW, {"lr": 0.05, "weight_decay": 0.1}),
        (torch.optim.RMSprop, {"lr": 0.01, "momentum": 0.5}),
    ],
)
def test_every_base_steps_as_it_does_on_the_gradients_of_the_hill(
    base: type[torch.optim.Optimizer], options: dict[str, float]
) -> None:
    mine, theirs = start((3, 2), (4,)), start((3, 2), (4,))
    optimizer, plain = SAM(mine, base, rho=0.3, **options), base(theirs, **options)
    for _ in range(20):
        optimizer.step(closure_of(optimizer, mine))
        gradients = torch.autograd.grad(bowl(theirs), theirs)
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        hill = [(p.detach() + 0.3 * g / norm).requires_grad_() for p, g in zip(theirs, gradients, strict=True)]
        for p, g in zip(theirs, torch.autograd.grad(bowl(hill), hill), strict=True):
            p.grad = g
        plain.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_the_two_step_interface_is_the_closure_bit_for_bit() -> None:
    one, two = start((3, 2), (4,)), start((3, 2), (4,))
    with_closure, by_hand = SAM(one, lr=0.1, momentum=0.9), SAM(two, lr=0.1, momentum=0.9)
    for _ in range(5):
        with_closure.step(closure_of(with_closure, one))
        backward = closure_of(by_hand, two)
        backward()
        by_hand.first_step()
        backward()
        by_hand.second_step()
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_two_steps_take_turns() -> None:
    p = start((3,))
    optimizer = SAM(p, lr=0.1)
    with pytest.raises(RuntimeError, match=r"second_step\(\) needs first_step\(\)"):
        optimizer.second_step()
    bowl(p).backward()
    optimizer.first_step()
    with pytest.raises(RuntimeError, match=r"first_step\(\) was called twice"):
        optimizer.first_step()
    optimizer.second_step()
    optimizer.first_step()


def test_without_a_closure_only_zero_gradients_are_stepped_with() -> None:
    (p,) = start((3,))
    optimizer = SAM([p], lr=0.1, weight_decay=0.5)
    p.grad = torch.zeros_like(p)
    assert optimizer.step() is None
    torch.testing.assert_close(p.detach(), 0.95 * start((3,))[0].detach())
    p.grad = torch.full_like(p, 1e-30)
    with pytest.raises(TypeError, match="needs a closure"):
        optimizer.step()


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_fault_in_the_closure_leaves_the_weights_where_they_were(call: int, fault: type[BaseException]) -> None:
    p = start((3,), dtype=torch.float32)
    optimizer = SAM(p, lr=0.1)
    before, calls = p[0].detach().clone(), []

    def closure() -> Tensor:
        calls.append(None)
        if len(calls) == call:
            raise fault
        return closure_of(optimizer, p)()

    with pytest.raises(fault):
        optimizer.step(closure)
    assert len(calls) == call
    assert torch.equal(p[0], before)
    optimizer.step(closure_of(optimizer, p))
    assert not torch.equal(p[0], before)


def test_the_climb_has_the_length_rho_over_all_groups_and_dtypes_together() -> None:
    single, half = start((3, 4), dtype=torch.float32), start((2, 5), dtype=torch.bfloat16)
    optimizer = SAM([{"params": single}, {"params": half, "rho": 0.0, "lr": 0.5}], lr=0.1, rho=0.2)
    bowl(single + half).backward()
    old = [p.detach().clone() for p in single + half]
    norm = math.hypot(*(p.grad.double().norm().item() for p in single + half))
    share = 0.2 * single[0].grad.norm().item() / norm
    optimizer.first_step()
    assert (single[0].detach() - old[0]).norm().item() == pytest.approx(share, rel=1e-5)
    assert torch.equal(half[0], old[1])  # its own rho is 0
    for p in single + half:
        p.grad = torch.ones_like(p)
    optimizer.second_step()
    torch.testing.assert_close(single[0].detach(), old[0] - 0.1)
    torch.testing.assert_close(half[0].detach(), old[1] - 0.5)


def test_gradients_whose_squares_leave_float16_still_climb_by_rho() -> None:
    for size in (1e-5, 6e4):
        p = torch.zeros(4, dtype=torch.float16, requires_grad=True)
        p.grad = torch.full_like(p, size)
        optimizer = SAM([p], lr=0.1, rho=0.5)
        optimizer.first_step()
        assert p.tolist() == pytest.approx([0.25] * 4, rel=2e-3)


def test_it_comes_back_to_the_same_bits() -> None:
    (p,) = start((1000,), dtype=torch.float32)
    before = p.detach().clone()
    optimizer = SAM([p], lr=0.0, rho=0.3)
    bowl([p]).backward()
    optimizer.first_step()
    assert not torch.equal(p, before)
    optimizer.second_step()
    assert torch.equal(p, before)


@pytest.mark.parametrize("base", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("way", ["state_dict", "deepcopy"])
def test_the_state_of_the_base_is_saved_too(base: type[torch.optim.Optimizer], way: str) -> None:
    options = {"lr": 0.05} | ({"momentum": 0.9} if base is torch.optim.SGD else {})
    p = start((3, 2))
    old = SAM(p, base, rho=0.2, **options)
    for _ in range(4):
        old.step(closure_of(old, p))
    if way == "state_dict":
        q = [x.detach().clone().requires_grad_() for x in p]
        new = SAM(q, base, lr=9.0)
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    else:
        new = copy.deepcopy(old)
        q = new.param_groups[0]["params"]
    assert new.base_optimizer.param_groups is new.param_groups
    assert new.base_optimizer.state is new.state
    for _ in range(4):
        old.step(closure_of(old, p))
        new.step(closure_of(new, q))
    assert torch.equal(p[0], q[0])
    assert not torch.equal(p[0], start((3, 2))[0])


def test_a_scheduler_moves_the_rate_of_the_base() -> None:
    p = start((3,))
    optimizer = SAM(p, lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step(closure_of(optimizer, p))
    scheduler.step()
    assert optimizer.base_optimizer.param_groups[0]["lr"] == 0.05


def test_a_group_added_later_has_the_options_of_the_base_and_steps() -> None:
    first, second = start((3,)), start((2,))
    optimizer = SAM(first, lr=0.1, momentum=0.9, rho=0.3)
    optimizer.add_param_group({"params": second, "lr": 0.01})
    assert [(g["lr"], g["momentum"], g["rho"]) for g in optimizer.param_groups] == [(0.1, 0.9, 0.3), (0.01, 0.9, 0.3)]
    optimizer.step(closure_of(optimizer, first + second))
    assert not torch.equal(second[0], start((2,))[0])


def test_along_the_floor_of_a_valley_it_goes_to_where_the_walls_are_gentle() -> None:
    ends = []
    for rho in (0.0, 0.3):
        w = torch.tensor([1.2, 0.5], dtype=torch.float64, requires_grad=True)
        optimizer = SAM([w], lr=0.05, rho=rho)

        def closure(w: Tensor = w, optimizer: SAM = optimizer) -> Tensor:
            optimizer.zero_grad()
            loss = w[1] ** 2 * (1 + 9 * w[0] ** 2) / 2
            loss.backward()
            return loss

        for _ in range(800):
            optimizer.step(closure)
        ends.append(w.tolist())
    assert ends[0][0] > 0.4
    assert abs(ends[0][1]) < 1e-6
    assert abs(ends[1][0]) < 0.1
    assert abs(ends[1][1]) < 0.05


def test_a_network_learns_through_the_closure() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = x.sum(dim=1, keepdim=True).tanh()
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = SAM(model.parameters(), torch.optim.Adam, lr=0.02)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(80)]
    assert losses[-1] < losses[0] / 10
