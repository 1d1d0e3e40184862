"""What every optimizer of the shelf promises. Classes are found in the folder, not listed here."""

from __future__ import annotations

import copy
import importlib
import inspect
import io
import logging
import pickle
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import livegrad.optimizers

from .oracles import ORACLES, Options, Reference

Optimizer = torch.optim.Optimizer
SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (5,), (), (0,), (3, 4))
SCALES = (1.0, 1e-4, 1e4)

FILES = [
    importlib.import_module(f"livegrad.optimizers.{info.name}")
    for info in pkgutil.iter_modules(livegrad.optimizers.__path__)
]
CLASSES: dict[str, type[Optimizer]] = {
    name: value
    for file in FILES
    for name, value in vars(file).items()
    if inspect.isclass(value) and issubclass(value, Optimizer) and value.__module__ == file.__name__ and name[0] != "_"
}
EVERY = pytest.mark.parametrize("name", CLASSES)
ELEMENTWISE = pytest.mark.parametrize("name", [name for name in CLASSES if ORACLES[name].elementwise])


def grid(name: str) -> tuple[Options, ...]:
    """Every case of the oracle; the first and the last the other way besides, where the class has `foreach`."""
    cases = ORACLES[name].cases
    switch = inspect.signature(CLASSES[name]).parameters.get("foreach")
    if switch is not None:
        cases += tuple(case | {"foreach": not switch.default} for case in (cases[0], cases[-1]))
    return cases


def few(name: str) -> tuple[Options, ...]:
    """The defaults, and the last case, which has most options, in each way of applying it."""
    return (ORACLES[name].cases[0], *(case for case in grid(name) if case.items() >= ORACLES[name].cases[-1].items()))


def over(cases: Callable[[str], tuple[Options, ...]]) -> pytest.MarkDecorator:
    rows = [
        pytest.param(n, c, id=f"{n}-{i}{'-foreach' * ('foreach' in c)}")
        for n in CLASSES
        for i, c in enumerate(cases(n))
    ]
    return pytest.mark.parametrize(("name", "case"), rows)


EVERY_CASE, SOME_CASES = over(grid), over(few)
# SAM's step of one parameter depends on all gradients: mixed types and groups are in its own test.
ONE_BY_ONE = over(lambda name: () if ORACLES[name].closure else few(name))
UNKNOWN = [
    (name, keyword)
    for name in CLASSES
    for keyword in ("learning_rate", "fused", "capturable", "differentiable")
    if keyword not in inspect.signature(ORACLES[name].base or CLASSES[name]).parameters  # the base's are handed on
]


def start(dtype: torch.dtype = torch.float64, seed: int = 0) -> list[Tensor]:
    """Parameters of several shapes, two of them equal in shape."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=generator, dtype=dtype).requires_grad_() for s in SHAPES]


def bowl(p: Tensor) -> Tensor:
    return (p.square() - torch.cos(3 * p) / 2).sum()


def copies(parameters: list[Tensor]) -> list[Tensor]:
    return [p.detach().clone().requires_grad_() for p in parameters]


def slope(x: Any) -> Any:
    """Gradient of a bowl with ripples, x² - cos(3x) / 2: its sign and its size change along the way."""
    return 2 * x + 1.5 * (np.sin if isinstance(x, np.ndarray) else torch.sin)(3 * x)


def set_gradients(parameters: list[Tensor], scale: float = 1.0) -> None:
    for p in parameters:
        p.grad = scale * slope(p.detach())


def needs_closure(optimizer: Optimizer) -> bool:
    oracle = ORACLES.get(type(optimizer).__name__)
    return oracle is not None and oracle.closure


def step(optimizer: Optimizer) -> None:
    """A step on the gradients that are there; where a closure is needed, it leaves them as they are."""
    optimizer.step(*[lambda: None] * needs_closure(optimizer))


def run(optimizer: Optimizer, parameters: list[Tensor], steps: int, scale: float = 1.0) -> list[Tensor]:
    for _ in range(steps):
        set_gradients(parameters, scale)
        optimizer.step(*[lambda: set_gradients(parameters, scale)] * needs_closure(optimizer))
    return [p.detach().clone() for p in parameters]


def by_reference(
    name: str, reference: Reference, case: Options, parameters: list[Tensor], steps: int, scale: float
) -> list[Tensor]:
    """The same run by a class of torch or by a function in NumPy."""
    options = {k: v for k, v in case.items() if k != "foreach"}
    if isinstance(reference, type):
        return run(reference(parameters, **options), parameters, steps, scale)
    if ORACLES[name].closure:  # one vector, because the norm of all gradients together enters
        x = torch.cat([p.detach().flatten() for p in parameters]).numpy()
        moved = torch.from_numpy(reference(x, lambda x: scale * slope(x), steps, **options))
        return [m.view_as(p) for m, p in zip(moved.split([p.numel() for p in parameters]), parameters, strict=True)]
    return [
        torch.from_numpy(
            np.asarray(reference(p.detach().numpy(), lambda x: scale * slope(np.asarray(x)), steps, **options))
        )
        for p in parameters
    ]


def at_scale(name: str, case: Options, scale: float) -> Options:
    """The case for a loss multiplied by `scale`."""
    if ORACLES[name].scale_free:
        return case
    return case | {"lr": case.get("lr", CLASSES[name](start()).defaults["lr"]) / scale}


def bits(tensors: list[Tensor]) -> list[bytes]:
    return [p.detach().contiguous().numpy().tobytes() for p in tensors]


# --- The oracle -------------------------------------------------------------------------------------------------


def test_every_optimizer_has_an_oracle_and_every_oracle_an_optimizer() -> None:
    assert CLASSES.keys() == ORACLES.keys()
    assert all(oracle.references and oracle.cases[0] == {} and oracle.refused for oracle in ORACLES.values())


@EVERY
def test_the_shelf_exports_it(name: str) -> None:
    assert getattr(livegrad.optimizers, name) is CLASSES[name]


@pytest.mark.parametrize("scale", SCALES)
@EVERY_CASE
def test_fifty_steps_in_float64_equal_the_reference_to_rounding(name: str, case: Options, scale: float) -> None:
    case = at_scale(name, case, scale)
    for reference in ORACLES[name].references:
        mine, theirs = start(), start()
        before = bits(mine)
        got = run(CLASSES[name](mine, **case), mine, 50, scale)
        want = by_reference(name, reference, case, theirs, 50, scale)
        for g, w in zip(got, want, strict=True):
            # Rounding differs where the same formula is ordered otherwise; fifty steps on ripples let it grow.
            torch.testing.assert_close(g, w, rtol=1e-9, atol=1e-11)
        assert before != bits(mine)


@pytest.mark.parametrize("scale", SCALES)
@EVERY_CASE
def test_fifty_steps_in_float32_equal_the_reference_in_float32(name: str, case: Options, scale: float) -> None:
    case = at_scale(name, case, scale)
    for reference in ORACLES[name].references:
        if not isinstance(reference, type):
            continue
        mine, theirs = start(torch.float32), start(torch.float32)
        got = run(CLASSES[name](mine, **case), mine, 50, scale)
        want = by_reference(name, reference, case, theirs, 50, scale)
        for g, w in zip(got, want, strict=True):
            torch.testing.assert_close(g, w, rtol=1e-4, atol=1e-5)


@EVERY
def test_the_signature_is_that_of_torch(name: str) -> None:
    ours = inspect.signature(CLASSES[name]).parameters
    for reference in ORACLES[name].references:
        if not isinstance(reference, type):
            continue
        theirs = inspect.signature(reference).parameters
        positional = [p for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        count = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in ours.values())
        assert [*ours][:count] == [p.name for p in positional[:count]]
        # Some of torch's classes take these by position too, at the end; here they are keywords or not known.
        assert {p.name for p in positional[count:]} <= {"foreach", "capturable", "maximize", "differentiable"}
        positional = positional[:count]
        assert ours.keys() <= theirs.keys()
        for p in positional[1:]:
            assert ours[p.name].default == p.default


# --- What is refused --------------------------------------------------------------------------------------------

REFUSED = [(name, options, message) for name in CLASSES for options, message in ORACLES[name].refused]


@pytest.mark.parametrize(("name", "options", "message"), REFUSED, ids=lambda x: str(x)[:60])
def test_a_bad_option_is_refused_with_name_rule_and_value(name: str, options: Options, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        CLASSES[name](start(), **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        CLASSES[name]([{"params": start(), **options}])
    good = CLASSES[name](start())
    with pytest.raises(ValueError, match=re.escape(message)):
        good.add_param_group({"params": start(), **options})
    assert len(good.param_groups) == 1


@pytest.mark.parametrize(("name", "keyword"), UNKNOWN)
def test_an_unknown_keyword_is_refused_by_name(name: str, keyword: str) -> None:
    with pytest.raises(TypeError, match=keyword):
        CLASSES[name](start(), **{keyword: True})


@EVERY
def test_no_parameters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="empty parameter list"):
        CLASSES[name]([])


@EVERY
def test_sparse_gradients_are_supported_or_refused_by_name(name: str) -> None:
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1, 3])).sum().backward()
    optimizer = CLASSES[name](embedding.parameters())
    if not ORACLES[name].sparse:
        before = embedding.weight.detach().clone()
        with pytest.raises(RuntimeError, match=f"{name} does not support sparse gradients"):
            step(optimizer)
        assert torch.equal(before, embedding.weight)
    else:
        step(optimizer)
        assert embedding.weight.isfinite().all()


# --- Gradients --------------------------------------------------------------------------------------------------


@SOME_CASES
def test_the_gradient_is_never_written_to(name: str, case: Options) -> None:
    parameters = start()
    optimizer = CLASSES[name](parameters, **case)
    for _ in range(3):
        set_gradients(parameters)
        gradients = [p.grad for p in parameters]
        before = [g.clone() for g in gradients if g is not None]
        step(optimizer)
        for p, g, b in zip(parameters, gradients, before, strict=True):
            assert p.grad is g
            assert torch.equal(b, p.grad)


@SOME_CASES
def test_a_parameter_without_gradient_is_left_alone_and_has_no_state(name: str, case: Options) -> None:
    first, second = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    optimizer = CLASSES[name]([first, second], **case)
    step(optimizer)
    assert not optimizer.state
    first.grad = torch.ones(3)
    step(optimizer)
    assert torch.equal(second, torch.ones(3))
    assert not torch.equal(first, torch.ones(3))
    assert second not in optimizer.state


@SOME_CASES
def test_a_gradient_that_comes_late_is_treated_as_a_first_one(name: str, case: Options) -> None:
    early, late = torch.tensor([1.0, -2.0], requires_grad=True), torch.tensor([1.0, -2.0], requires_grad=True)
    alone = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = CLASSES[name]([early, late], **case)
    for _ in range(7):
        early.grad = early.detach() + 1
        step(optimizer)
    early.grad = None
    run(optimizer, [late] if ORACLES[name].closure else [early, late], 3)
    run(CLASSES[name]([alone], **case), [alone], 3)
    assert torch.equal(late, alone)


@SOME_CASES
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_zero_gradients_never_give_nan(name: str, case: Options, dtype: torch.dtype) -> None:
    eps = inspect.signature(CLASSES[name]).parameters.get("eps")
    nothing = {} if eps is None else {"eps": (0.0, 0.0) if isinstance(eps.default, tuple) else 0.0}
    for options in (case, case | nothing):
        parameter = torch.tensor([0.0, 1.0, -2.0], dtype=dtype, requires_grad=True)
        optimizer = CLASSES[name]([parameter], **options)
        for gradient in (torch.zeros_like(parameter), torch.ones_like(parameter), *[torch.zeros_like(parameter)] * 20):
            parameter.grad = gradient.detach()
            step(optimizer)
            assert parameter.isfinite().all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_follows_float32_within_its_resolution(name: str, dtype: torch.dtype) -> None:
    exact = start(torch.float32)
    low = [p.detach().to(dtype).requires_grad_() for p in exact]
    got = run(CLASSES[name](low, **ORACLES[name].calm), low, 5)
    want = run(CLASSES[name](exact, **ORACLES[name].calm), exact, 5)
    for g, w in zip(got, want, strict=True):
        assert g.dtype == dtype
        # One rounding of the start, and one for each step.
        torch.testing.assert_close(g.float(), w, rtol=6 * torch.finfo(dtype).eps, atol=6 * torch.finfo(dtype).eps)


@ONE_BY_ONE
def test_dtypes_may_be_mixed(name: str, case: Options) -> None:
    parameters = [p for dtype in (torch.float32, torch.float64, torch.bfloat16) for p in start(dtype)]
    together = run(CLASSES[name](parameters, **case), parameters, 3)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        alone = start(dtype)
        want = run(CLASSES[name](alone, **case), alone, 3)
        got = [p for p in together if p.dtype == dtype]
        assert all(torch.equal(g, w) for g, w in zip(got, want, strict=True))


@SOME_CASES
def test_complex_parameters_are_pairs_of_real_ones_or_refused_by_name(name: str, case: Options) -> None:
    z = torch.tensor([1 + 2j, -0.5j, 3 + 0j], dtype=torch.complex128, requires_grad=True)
    pair = torch.view_as_real(z.detach()).clone().requires_grad_()
    complex_, real = CLASSES[name]([z], **case), CLASSES[name]([pair], **case)
    for t in range(5):
        z.grad = (z.detach() + 1j * (t + 1)) * (1 if t % 2 else -2)
        pair.grad = torch.view_as_real(z.grad).clone()
        if not ORACLES[name].complex:
            with pytest.raises(TypeError, match=f"{name} does not support complex parameters"):
                step(complex_)
            return
        step(complex_)
        step(real)
    torch.testing.assert_close(torch.view_as_real(z.detach()), pair.detach(), rtol=1e-14, atol=1e-14)


@SOME_CASES
def test_strided_parameters_step_as_contiguous_ones(name: str, case: Options) -> None:
    plain = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    transposed, sliced = torch.empty(4, 3, dtype=torch.float64).t(), torch.empty(3, 4, 2, dtype=torch.float64)[..., 0]
    for strided in (transposed, sliced):
        mine, theirs = strided.copy_(plain).requires_grad_(), plain.clone().requires_grad_()
        assert not mine.is_contiguous()
        run(CLASSES[name]([mine], **case), [mine], 5)
        run(CLASSES[name]([theirs], **case), [theirs], 5)
        torch.testing.assert_close(mine, theirs, rtol=1e-14, atol=1e-14)


# A norm over a stack may be summed in another order: element by element the bits are the same.
STACKED = [
    name
    for name, cls in CLASSES.items()
    if name in ORACLES and ORACLES[name].elementwise and "foreach" in inspect.signature(cls).parameters
]


def test_there_are_classes_that_update_small_tensors_together() -> None:
    together = {"SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Lion"}
    assert together <= set(STACKED)


@pytest.mark.parametrize("name", STACKED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_small_tensors_updated_together_end_with_the_same_bits(name: str, dtype: torch.dtype) -> None:
    ends = []
    for foreach in (False, True):
        generator = torch.Generator().manual_seed(0)
        shapes = [(33, 41)] * 60 + [(7,)] * 3 + [()] * 2 + [(0,)] * 2 + [(300, 300), (600, 700)]  # first two stacks
        parameters = [torch.randn(s, generator=generator, dtype=dtype) for s in shapes]
        parameters[1] = parameters[1].t().contiguous().t()
        parameters[2] = torch.stack([parameters[2]] * 2, dim=-1)[..., 0]
        for p in parameters:
            p.requires_grad_()
        optimizer = CLASSES[name](parameters, **(ORACLES[name].cases[-1] | {"foreach": foreach}))
        for step in range(4):
            set_gradients(parameters)
            if step < 2:
                parameters[0].grad = None  # its count of steps is another one from here on
            optimizer.step()
        ends.append(parameters + [x for s in optimizer.state.values() for x in s.values() if isinstance(x, Tensor)])
    assert bits(ends[0]) == bits(ends[1])


# --- Groups, closures, schedulers -------------------------------------------------------------------------------


@ONE_BY_ONE
def test_every_group_follows_its_own_options(name: str, case: Options) -> None:
    together, apart = start(), start()
    optimizer = CLASSES[name]([{"params": together[:2], **case}, {"params": together[2:], "lr": 0.05}])
    run(optimizer, together, 5)
    run(CLASSES[name](apart[:2], **case), apart[:2], 5)
    run(CLASSES[name](apart[2:], lr=0.05), apart[2:], 5)
    assert bits(together) == bits(apart)


@EVERY
def test_a_group_added_later_and_named_parameters_work(name: str) -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = CLASSES[name](first.named_parameters())
    optimizer.add_param_group({"params": list(second.named_parameters()), "lr": 0.5})
    assert [g["lr"] for g in optimizer.param_groups] == [optimizer.defaults["lr"], 0.5]
    second(first(torch.ones(1, 2))).sum().backward()
    before = second.bias.detach().clone()
    step(optimizer)
    assert not torch.equal(before, second.bias)


@EVERY
def test_the_closure_is_called_with_gradients_on_and_its_first_loss_returned(name: str) -> None:
    parameters = start()
    optimizer = CLASSES[name](parameters)
    calls = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = sum(bowl(p) for p in parameters)
        loss.backward()
        calls.append(torch.is_grad_enabled())
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert calls == [True] * (2 if ORACLES[name].closure else 1)
    assert isinstance(loss, Tensor)
    assert loss.requires_grad
    assert loss.item() == pytest.approx(sum(bowl(p).item() for p in start()), rel=1e-12)
    other = start()
    run(CLASSES[name](other), other, 1)
    assert bits(parameters) == bits(other)
    if ORACLES[name].closure:
        with pytest.raises(TypeError, match=f"{name}.step.. needs a closure"):
            optimizer.step()
    else:
        assert optimizer.step() is None


@EVERY
def test_the_parameters_stay_leaves_that_need_gradients(name: str) -> None:
    parameters = start()
    run(CLASSES[name](parameters), parameters, 2)
    assert all(p.is_leaf and p.requires_grad and p.grad_fn is None for p in parameters)


@EVERY
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_schedule_changes_the_step(name: str, as_tensor: bool) -> None:
    mine, plain = start(), start()
    lr = CLASSES[name](mine).defaults["lr"]
    scheduled = CLASSES[name](mine, lr=torch.tensor(lr, dtype=torch.float64) if as_tensor else lr)
    by_hand = CLASSES[name](plain)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(scheduled, gamma=0.5)
    for t in range(5):
        run(scheduled, mine, 1)
        scheduler.step()
        by_hand.param_groups[0]["lr"] = lr * 0.5**t
        run(by_hand, plain, 1)
    assert bits(mine) == bits(plain)


@EVERY
def test_a_cycle_of_rates_and_momenta_runs(name: str) -> None:
    parameters = start()
    optimizer = CLASSES[name](parameters)
    momentum = {"betas", "momentum"} & optimizer.defaults.keys()
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10, cycle_momentum=bool(momentum))
    for _ in range(9):
        run(optimizer, parameters, 1)
        scheduler.step()
    assert all(p.isfinite().all() for p in parameters)


@EVERY
def test_a_gradient_scaler_unscales_steps_and_skips_infinities(name: str) -> None:
    mine, plain = start(torch.float32), start(torch.float32)
    optimizer = CLASSES[name](mine)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    if ORACLES[name].closure:  # as torch's scaler says itself
        with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
            scaler.step(optimizer, closure=lambda: None)
        return
    for _ in range(3):
        optimizer.zero_grad()
        scaler.scale(sum(bowl(p) for p in mine)).backward()
        scaler.step(optimizer)
        scaler.update()
    run(CLASSES[name](plain), plain, 3)
    assert bits(mine) == bits(plain)
    for p in mine:
        p.grad = torch.full_like(p, torch.inf)
    before = bits(mine)
    scaler.step(optimizer)
    scaler.update()
    assert bits(mine) == before


# --- Checkpoints ------------------------------------------------------------------------------------------------


def saved(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


RESUME: dict[str, Callable[[Optimizer, list[Tensor], type[Optimizer]], tuple[Optimizer, list[Tensor]]]] = {}


def resume(function: Callable[..., tuple[Optimizer, list[Tensor]]]) -> Callable[..., tuple[Optimizer, list[Tensor]]]:
    RESUME[function.__name__] = function
    return function


def owned(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


@resume
def state_dict(old: Optimizer, parameters: list[Tensor], cls: type[Optimizer]) -> tuple[Optimizer, list[Tensor]]:
    fresh = copies(parameters)
    new = cls(fresh)
    new.load_state_dict(copy.deepcopy(old.state_dict()))
    return new, fresh


@resume
def file(old: Optimizer, parameters: list[Tensor], cls: type[Optimizer]) -> tuple[Optimizer, list[Tensor]]:
    fresh = copies(parameters)
    new = cls(fresh)
    new.load_state_dict(saved(old.state_dict()))
    return new, fresh


@resume
def deepcopy(old: Optimizer, parameters: list[Tensor], cls: type[Optimizer]) -> tuple[Optimizer, list[Tensor]]:
    new = copy.deepcopy(old)
    return new, owned(new)


@resume
def pickled(old: Optimizer, parameters: list[Tensor], cls: type[Optimizer]) -> tuple[Optimizer, list[Tensor]]:
    new = pickle.loads(pickle.dumps(old))
    return new, owned(new)


@pytest.mark.parametrize("way", RESUME)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@SOME_CASES
def test_training_resumes_bit_for_bit(name: str, case: Options, dtype: torch.dtype, way: str) -> None:
    parameters = start(dtype)
    old = CLASSES[name](parameters, **case)
    run(old, parameters, 7)
    new, fresh = RESUME[way](old, parameters, CLASSES[name])
    assert all(a is not b for a, b in zip(parameters, fresh, strict=True))
    for group, other in zip(old.param_groups, new.param_groups, strict=True):
        assert {k: v for k, v in group.items() if k != "params"} == {k: v for k, v in other.items() if k != "params"}
    want, got = run(old, parameters, 5), run(new, fresh, 5)
    assert [w.view(torch.uint8).tolist() if w.ndim else w.item() for w in want] == [
        g.view(torch.uint8).tolist() if g.ndim else g.item() for g in got
    ]


@SOME_CASES
def test_a_checkpoint_of_torch_is_continued_and_ours_by_torch(name: str, case: Options) -> None:
    options = {k: v for k, v in case.items() if k != "foreach"}
    for reference in ORACLES[name].references:
        if not isinstance(reference, type):
            continue
        whole = start()
        want = run(reference(whole, **options), whole, 12)
        for first, second in ((reference, CLASSES[name]), (CLASSES[name], reference)):
            parameters = start()
            old = first(parameters, **options)
            run(old, parameters, 7)
            new = second(parameters)
            new.load_state_dict(saved(old.state_dict()))
            for g, w in zip(run(new, parameters, 5), want, strict=True):
                torch.testing.assert_close(g, w, rtol=1e-9, atol=1e-11)


# --- torch.compile ----------------------------------------------------------------------------------------------


@pytest.fixture
def dynamo() -> Iterator[None]:
    """Start from nothing compiled, and silence the note that a profiler's record is left out."""
    torch._dynamo.reset()
    log = logging.getLogger("torch._dynamo.variables.ctx_manager")
    log.disabled = True
    yield
    log.disabled = False
    torch._dynamo.reset()


@pytest.mark.usefixtures("dynamo")
@ELEMENTWISE
def test_a_compiled_step_is_one_graph_and_equals_the_eager_one(name: str) -> None:
    mine, plain = start()[:2], start()[:2]
    optimizer, eager = CLASSES[name](mine), CLASSES[name](plain)
    step = torch.compile(optimizer.step, fullgraph=True, backend="eager")
    torch._dynamo.utils.counters.clear()
    for _ in range(6):
        set_gradients(mine)
        step()
        run(eager, plain, 1)
    # One graph that makes the state and one that uses it; a step count that is a number would compile anew.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2
    for a, b in zip(mine, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("dynamo")
@ELEMENTWISE
def test_a_run_that_began_without_compiling_goes_on_compiled_and_back(name: str) -> None:
    mine, plain = start()[:2], start()[:2]
    options = {"betas": (0.5, 0.0)} if "betas" in inspect.signature(CLASSES[name]).parameters else {}
    optimizer, eager = CLASSES[name](mine, **options), CLASSES[name](plain, **options)
    step = torch.compile(optimizer.step, fullgraph=True, backend="eager")
    torch._dynamo.utils.counters.clear()
    for t in range(12):
        set_gradients(mine)
        (step if 3 <= t < 9 else optimizer.step)()
        run(eager, plain, 1)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2
    for a, b in zip(mine, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
