from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from livegrad.optimizers.matrix_preconditioning import SOAP, Muon, Shampoo, orthogonalize

JORDAN = (3.4445, -4.7750, 2.0315)
CUBIC = (1.5, -0.5, 0.0)  # the classical iteration: slower, but to exactly 1
SHAPES = ((4, 6), (6, 4), (5, 5), (4, 6), (1, 3))
EVERY = pytest.mark.parametrize("cls", [Muon, Shampoo, SOAP])


def matrices(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(s, generator=generator, dtype=dtype).requires_grad_() for s in SHAPES]


def run(optimizer: torch.optim.Optimizer, parameters: list[Tensor], steps: int, scale: float = 1.0) -> list[Tensor]:
    for _ in range(steps):
        for p in parameters:
            p.grad = scale * (2 * p.detach() + 1.5 * torch.sin(3 * p.detach()))
        optimizer.step()
    return [p.detach().clone() for p in parameters]


@pytest.fixture
def unrounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's Muon without its rounding to bfloat16: all else is torch's own code."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())


# --- Muon ---------------------------------------------------------------------------------------------------------

CASES: list[dict[str, Any]] = [
    {},
    {"lr": 0.01, "momentum": 0.8, "weight_decay": 0.0},
    {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"},
    {"ns_steps": 3, "ns_coefficients": CUBIC, "adjust_lr_fn": "original", "eps": 1e-5},
]


@pytest.mark.usefixtures("unrounded")
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", CASES)
def test_muon_equals_that_of_torch_but_for_the_rounding_to_bfloat16(
    case: dict[str, Any], dtype: torch.dtype, scale: float
) -> None:
    mine, theirs = matrices(dtype), matrices(dtype)
    got, want = run(Muon(mine, **case), mine, 50, scale), run(torch.optim.Muon(theirs, **case), theirs, 50, scale)
    # Newton-Schulz multiplies the smallest singular values, and their rounding, by up to 3.4445⁵ = 485.
    rtol, atol = (1e-9, 1e-11) if dtype == torch.float64 else (1e-4, 1e-5)
    torch.testing.assert_close(got, want, rtol=rtol, atol=atol)


def test_muon_stays_near_that_of_torch_as_it_is() -> None:
    mine, theirs = matrices(torch.float32), matrices(torch.float32)
    start = [p.detach().clone() for p in mine]
    got, want = run(Muon(mine, lr=0.01), mine, 20), run(torch.optim.Muon(theirs, lr=0.01), theirs, 20)
    for g, w, s in zip(got, want, start, strict=True):
        # bfloat16 has three digits, and the iteration multiplies what is lost: a share of the way, not rounding.
        assert 0 < (g - w).norm() < 0.1 * (w - s).norm()


def test_the_arguments_are_those_of_torch_then_come_ours_as_keywords() -> None:
    ours, theirs = [*inspect.signature(Muon).parameters.values()], inspect.signature(torch.optim.Muon).parameters
    for mine, its in zip(ours[1:], [*theirs.values()][1:], strict=False):
        assert (mine.name, mine.default) == (its.name, its.default)
    assert all(p.kind is p.KEYWORD_ONLY for p in ours[len(theirs) :])
    assert len(ours) > len(theirs)


@pytest.mark.usefixtures("unrounded")
def test_a_checkpoint_of_torch_is_continued_and_ours_by_torch() -> None:
    whole = matrices()
    want = run(torch.optim.Muon(whole), whole, 12)
    for first, second in ((torch.optim.Muon, Muon), (Muon, torch.optim.Muon)):
        parameters = matrices()
        old = first(parameters)
        run(old, parameters, 7)
        new = second(parameters)
        new.load_state_dict(old.state_dict())
        torch.testing.assert_close(run(new, parameters, 5), want, rtol=1e-9, atol=1e-11)


def test_the_first_step_by_hand() -> None:
    # One step of the cubic from s / ‖s‖ = (0.8, 0.6): 1.5 s - 0.5 s³ is (0.944, 0.792). The mean's size cancels.
    p = torch.eye(2, dtype=torch.float64).requires_grad_()
    p.grad = torch.tensor([[0.0, 8.0], [6.0, 0.0]], dtype=torch.float64)
    Muon([p], lr=0.5, weight_decay=0.2, ns_coefficients=CUBIC, ns_steps=1).step()
    want = torch.tensor([[0.9, -0.5 * 0.944], [-0.5 * 0.792, 0.9]], dtype=torch.float64)
    torch.testing.assert_close(p.detach(), want, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("shape", [(3, 7, 4), (3, 4, 7), (2, 1, 5)])
def test_the_cubic_iteration_ends_at_the_polar_factor(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    torch.testing.assert_close(orthogonalize(x, CUBIC, 40, 1e-7), u @ v, rtol=1e-12, atol=1e-12)


def test_five_quintic_steps_bring_singular_values_near_one() -> None:
    s = torch.logspace(-2, 0, 50, dtype=torch.float64)
    s = s / s.norm()
    s = s[s > 1e-3]
    got = torch.linalg.svdvals(orthogonalize(torch.diag(s)[None], JORDAN, 5, 0.0))
    assert 0.3 < got.min() < got.max() < 1.3


def test_only_matrices_get_muon_and_a_group_can_have_none() -> None:
    embedding, matrix, bias, kernel = torch.ones(9, 2), torch.ones(3, 2), torch.ones(3), torch.ones(2, 2, 3, 3)
    parameters = [p.requires_grad_() for p in (embedding, matrix, bias, kernel)]
    plain = [p.detach().clone().requires_grad_() for p in parameters]
    groups = [{"params": parameters[:1], "use_muon": False}, {"params": parameters[1:]}]
    optimizer = Muon(groups, lr=0.01, weight_decay=0.3)
    adamw = torch.optim.AdamW(plain, lr=0.01, weight_decay=0.3, betas=(0.9, 0.95))
    run(optimizer, parameters, 5)
    run(adamw, plain, 5)
    assert [set(optimizer.state[p]) == {"momentum_buffer"} for p in parameters] == [False, True, False, False]
    for i, (p, q) in enumerate(zip(parameters, plain, strict=True)):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-6) == (i != 1)


def test_muon_trains_a_whole_model() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4), nn.LayerNorm(4))
    optimizer, x = Muon(model.parameters(), lr=0.02), torch.randn(8, 1, 4, 4)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), torch.arange(8) % 4)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


# --- Shampoo and SOAP ---------------------------------------------------------------------------------------------


def test_the_first_step_of_shampoo_is_the_polar_factor_if_eps_is_small() -> None:
    # (GGᵀ)^(-1/4) G (GᵀG)^(-1/4) = U Σ^(-1/2) Σ Σ^(-1/2) Vᵀ
    p = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    p.grad = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    Shampoo([p], lr=1.0, eps=1e-14).step()
    u, _, v = torch.linalg.svd(p.grad)
    torch.testing.assert_close(p.detach(), -u @ v, rtol=1e-6, atol=1e-6)


def test_vectors_get_adagrad_under_shampoo() -> None:
    mine, theirs = (torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_() for _ in range(2))
    run(Shampoo([mine], lr=0.3, eps=1e-4), [mine], 20)
    run(torch.optim.Adagrad([theirs], lr=0.3, eps=0.0, initial_accumulator_value=1e-4), [theirs], 20)
    torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_soap_is_adamw_until_its_first_basis_and_for_vectors() -> None:
    options: dict[str, Any] = {"lr": 0.01, "betas": (0.9, 0.95), "weight_decay": 0.1}
    mine, theirs = [*matrices(), torch.ones(5).requires_grad_()], [*matrices(), torch.ones(5).requires_grad_()]
    soap, adamw = SOAP(mine, **options, precondition_frequency=6), torch.optim.AdamW(theirs, **options)
    torch.testing.assert_close(run(soap, mine, 6), run(adamw, theirs, 6), rtol=1e-9, atol=1e-9)
    got, want = run(soap, mine, 4), run(adamw, theirs, 4)
    assert (got[0] - want[0]).abs().max() > 1e-4
    torch.testing.assert_close(got[-1], want[-1], rtol=1e-5, atol=1e-6)


def test_the_bases_of_soap_are_orthogonal_and_find_the_eigenvectors() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q
    p = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    optimizer = SOAP([p], betas=(0.9, 0.99), precondition_frequency=5)
    for _ in range(400):
        noise = torch.randn(4, 6, generator=generator, dtype=torch.float64)
        p.grad = turn @ (torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)[:, None] * noise)
        optimizer.step()
    q = optimizer.state[p]["Q_L"]
    torch.testing.assert_close(q.T @ q, torch.eye(4, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert (turn.T @ q).abs().diagonal().min() > 0.95


# --- All three ----------------------------------------------------------------------------------------------------


@EVERY
def test_equal_shapes_are_one_batch_and_none_touches_another(cls: type[torch.optim.Optimizer]) -> None:
    together = matrices()
    got = run(cls(together, lr=0.01), together, 15)
    for i, want in enumerate(matrices()):
        run(cls([want], lr=0.01), [want], 15)
        torch.testing.assert_close(got[i], want.detach(), rtol=1e-9, atol=1e-11)


@EVERY
def test_matrices_of_zeros_and_of_size_zero_are_harmless(cls: type[torch.optim.Optimizer]) -> None:
    for options in ({}, {"eps": 0.0}):
        zero, empty = torch.ones(3, 2, requires_grad=True), torch.ones(3, 0, requires_grad=True)
        optimizer = cls([zero, empty], **options)
        for gradient in (torch.zeros(3, 2), torch.ones(3, 2), *[torch.zeros(3, 2)] * 20):
            zero.grad, empty.grad = gradient, torch.ones(3, 0)
            optimizer.step()
            assert zero.isfinite().all()


@pytest.mark.parametrize(("cls", "numbers"), [(Muon, 24), (Shampoo, 16 + 36), (SOAP, 2 * (24 + 16 + 36))])
def test_the_state_of_a_matrix_has_the_promised_size(cls: type[torch.optim.Optimizer], numbers: int) -> None:
    p = torch.ones(4, 6, requires_grad=True)
    optimizer = cls([p])
    p.grad = torch.ones(4, 6)
    optimizer.step()
    assert sum(x.numel() for x in optimizer.state[p].values() if isinstance(x, Tensor)) == numbers


@pytest.fixture
def one_process() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_process")
@EVERY
def test_parts_of_matrices_are_refused_by_name(cls: type[torch.optim.Optimizer]) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    p = nn.Parameter(distribute_tensor(torch.ones(4, 2), init_device_mesh("cpu", (1,)), [Shard(0)]))
    p.grad = torch.ones_like(p)
    with pytest.raises(TypeError, match=f"{cls.__name__} does not support DTensor parameters"):
        cls([p]).step()
