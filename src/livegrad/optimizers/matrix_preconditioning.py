"""Muon, Shampoo and SOAP step a weight matrix as a matrix, not as a list of numbers.

Source: K. Jordan and others, Muon: An Optimizer for Hidden Layers in Neural Networks, 2024,
https://kellerjordan.github.io/posts/muon/; V. Gupta, T. Koren and Y. Singer, Shampoo: Preconditioned Stochastic Tensor
Optimization, 2018, Algorithm 1, https://arxiv.org/abs/1802.09568; N. Vyas and others, SOAP: Improving and Stabilizing
Shampoo using Adam, 2025, Algorithm 3, https://arxiv.org/abs/2409.11321.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch
from torch import Tensor

State = dict[str, Any]


def orthogonalize(x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Newton–Schulz: every singular value s of a matrix X becomes f(f(… f(s / ‖X‖))) with f(s) = a s + b s³ + c s⁵.

    `x` holds many matrices, shape (n, rows, columns). Their singular vectors stay as they are.
    """
    a, b, c = coefficients
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT  # then X Xᵀ is the smaller of the two products
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=max(eps, torch.finfo(x.dtype).tiny))
    for _ in range(steps):
        y = x @ x.mT
        y = torch.baddbmm(y, y, y, beta=b, alpha=c)  # Y ← b Y + c Y Y
        x = torch.baddbmm(x, y, x, beta=a)  # X ← a X + Y X: in one call each, or half of the time goes into sums
    return x.mT if tall else x


def muon(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    *,
    lr: float,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    ns_coefficients: tuple[float, float, float],
    eps: float,
    ns_steps: int,
    adjust_lr_fn: str | None,
) -> None:
    """Muon's step of a batch of matrices: `g` is read, `p` and `m` are changed in place."""
    m.lerp_(g, 1 - momentum)  # m ← μ m + (1 − μ) g
    ahead = g.lerp(m, momentum) if nesterov else m
    o = orthogonalize(ahead, ns_coefficients, ns_steps, eps)
    rows, columns = p.shape[-2:]
    size = math.sqrt(max(1, rows / max(columns, 1)))  # so that the outputs of a tall matrix change as much
    if adjust_lr_fn == "match_rms_adamw":
        size = 0.2 * math.sqrt(max(rows, columns))  # so that an element moves about as far as under AdamW
    p.mul_(1 - lr * weight_decay).add_(o, alpha=-lr * size)


def shampoo(g: Tensor, p: Tensor, left: Tensor, right: Tensor, *, lr: float, eps: float) -> None:
    """Shampoo's step of a batch of matrices: `g` is read, all others are changed in place."""
    left.add_(g @ g.mT)  # L ← L + G Gᵀ
    right.add_(g.mT @ g)  # R ← R + Gᵀ G
    p.sub_(inverse_fourth_root(left, eps) @ g @ inverse_fourth_root(right, eps), alpha=lr)


def inverse_fourth_root(x: Tensor, eps: float) -> Tensor:
    """x^(−1/4) of symmetric matrices whose eigenvalues are at least `eps`, but for rounding."""
    values, vectors = torch.linalg.eigh(x)
    # Rounding is as large as the largest eigenvalue times the dtype's resolution: below that there is no information.
    noise = values[..., -1:] * torch.finfo(x.dtype).eps
    values = values.maximum(noise.clamp(min=max(eps, torch.finfo(x.dtype).tiny)))
    return torch.matmul(vectors * values.unsqueeze(-2) ** -0.25, vectors.mT)


def soap(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    v: Tensor,
    left: Tensor,
    right: Tensor,
    q_left: Tensor,
    q_right: Tensor,
    *,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    precondition_frequency: int,
) -> None:
    """SOAP's step number `t` (from 1) of a batch of matrices: `g` is read, all others are changed in place."""
    beta1, beta2 = betas
    m.lerp_(g, 1 - beta1)
    turned = q_left.mT @ m @ q_right  # from here on Adam, in the coordinates of the eigenvectors
    v.lerp_((q_left.mT @ g @ q_right).square(), 1 - beta2)
    n = turned / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + max(eps, torch.finfo(v.dtype).tiny))
    p.mul_(1 - lr * weight_decay).sub_(q_left @ n @ q_right.mT, alpha=lr)
    left.lerp_(g @ g.mT, 1 - beta2)
    right.lerp_(g.mT @ g, 1 - beta2)
    if t % precondition_frequency == 0:  # one step of the power iteration, for all eigenvectors at once
        q_left.copy_(torch.linalg.qr(left @ q_left).Q)
        q_right.copy_(torch.linalg.qr(right @ q_right).Q)


def adamw(
    g: Tensor,
    p: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> None:
    """AdamW's step number `t` (from 1), for what is not a matrix: `p`, `m` and `v` are changed in place."""
    beta1, beta2 = betas
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    root = (v / (1 - beta2**t)).sqrt() + max(eps, torch.finfo(v.dtype).tiny)
    p.mul_(1 - lr * weight_decay).addcdiv_(m, root, value=-lr / (1 - beta1**t))


class _ByShape(torch.optim.Optimizer):
    """Parameters of equal shape are stepped as one tensor: two hundred small matrices cost as many calls as one.

    Half precision is widened to float32 for the step; what is kept has the dtype of the parameter.
    """

    def __init__(self, params: Any, defaults: State) -> None:
        check(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: State) -> None:
        check(self.defaults | param_group)
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every parameter that has a gradient; `closure` is called first, and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        name = type(self).__name__
        for group in self.param_groups:
            batches: dict[Any, list[list[Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.is_complex():
                    raise TypeError(f"{name} does not support complex parameters")
                if p.grad.is_sparse:
                    raise RuntimeError(f"{name} does not support sparse gradients")
                if hasattr(p, "device_mesh"):  # a part of a matrix has other singular values than the whole
                    raise TypeError(f"{name} does not support DTensor parameters: it needs whole matrices")
                state = self.state[p]
                if not state:
                    state.update(self._start(p, group))
                if "step" in state:
                    state["step"] += 1
                tensors = [p.grad, p, *(x for x in state.values() if isinstance(x, Tensor))]
                batches.setdefault((state.get("step", 0), p.shape, p.dtype, p.device), []).append(tensors)
            for (t, _, dtype, _), rows in batches.items():
                count = max(1, 2**20 // max(1, rows[0][0].numel()))  # large ones together need memory and save no time
                for part in (rows[i : i + count] for i in range(0, len(rows), count)):
                    columns = list(zip(*part, strict=True))
                    stacked = [torch.stack(column).to(torch.promote_types(dtype, torch.float32)) for column in columns]
                    self._update(stacked, int(t), group)
                    for column, changed in zip(columns[1:], stacked[1:], strict=True):
                        torch._foreach_copy_(column, changed.unbind())
        return loss

    def _start(self, p: Tensor, group: State) -> State:
        """The first state of one parameter; its tensors come after gradient and parameter in `_update`."""
        raise NotImplementedError

    def _update(self, tensors: list[Tensor], t: int, group: State) -> None:
        """Step number `t` of a batch: the first tensor is read, the others are changed in place."""
        raise NotImplementedError


class Muon(_ByShape):
    """Matrices: θ ← (1 − lr λ) θ − lr · size · UVᵀ, where UΣVᵀ is the momentum; all other parameters: AdamW.

    Arguments, defaults and checkpoints are those of `torch.optim.Muon`, with two departures. torch refuses parameters
    that are not matrices; here they, and groups with `use_muon=False`, get AdamW with the same `lr` and `weight_decay`.
    torch rounds to bfloat16 to find UVᵀ; here it is found in the dtype of the parameter, in float32 at least.

    Kernels of convolutions have four dimensions: they get AdamW. Put embeddings and the output layer into a group with
    `use_muon=False`: they are matrices, but not the kind Muon was made for.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf).
        weight_decay: λ in [0, inf); a step takes the share lr · λ of each weight away.
        momentum: μ in [0, 1), decay of the mean of the gradients.
        nesterov: mix the gradient into the mean once more before the step.
        ns_coefficients: a, b, c of the Newton–Schulz step.
        eps: smallest norm that a matrix is divided by, in [0, inf).
        ns_steps: Newton–Schulz steps, an integer in [0, 100); with 0 the momentum is divided by its norm.
        adjust_lr_fn: the size of the step: None or "original" for √max(1, rows / columns), "match_rms_adamw" for
            0.2 √max(rows, columns).
        use_muon: False for AdamW also for matrices; meant for groups.
        adamw_betas: AdamW's decay of the mean and of the mean square, each in [0, 1).
        adamw_eps: AdamW's ε, in [0, inf).

    Raises:
        ValueError: an option is out of its range.
        TypeError: a parameter is complex, or a DTensor.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        use_muon: bool = True,
        adamw_betas: tuple[float, float] = (0.9, 0.95),
        adamw_eps: float = 1e-8,
    ) -> None:
        defaults: State = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov}
        defaults |= {"ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        defaults |= {"use_muon": use_muon, "adamw_betas": adamw_betas, "adamw_eps": adamw_eps}
        super().__init__(params, defaults)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # a checkpoint of torch's class does not have these
            for name in ("use_muon", "adamw_betas", "adamw_eps"):
                group.setdefault(name, self.defaults[name])

    def _start(self, p: Tensor, group: State) -> State:
        if p.ndim == 2 and group["use_muon"]:
            return {"momentum_buffer": torch.zeros_like(p)}
        return {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}

    def _update(self, tensors: list[Tensor], t: int, group: State) -> None:
        lr, decay = float(group["lr"]), group["weight_decay"]
        if t == 0:  # matrices count no steps
            names = ("momentum", "nesterov", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn")
            options = {name: group[name] for name in names}
            muon(*tensors, lr=lr, weight_decay=decay, **options)
        else:
            adamw(*tensors, t=t, lr=lr, betas=group["adamw_betas"], eps=group["adamw_eps"], weight_decay=decay)


class Shampoo(_ByShape):
    """Matrices: W ← W − lr · L^(−1/4) G R^(−1/4), L and R the sums of GGᵀ and GᵀG from εI on; others: Adagrad.

    Algorithm 1 of the paper. What is not a matrix is divided, element by element, by the root of ε plus the sum of its
    squares. The roots are computed anew at each step, from the eigenvalues of L and R: slow for large matrices. A
    matrix of m × n needs m² + n² numbers of state. In half precision the sums soon stop growing: use float32.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: η, step size, in [0, inf).
        eps: ε, what the sums start from, in [0, inf).

    Raises:
        ValueError: an option is out of its range.
        TypeError: a parameter is complex, or a DTensor.
        RuntimeError: a gradient is sparse.
    """

    def __init__(self, params: Any, lr: float | Tensor = 1e-1, eps: float = 1e-4) -> None:
        super().__init__(params, {"lr": lr, "eps": eps})

    def _start(self, p: Tensor, group: State) -> State:
        if p.ndim != 2:
            return {"sum": torch.full_like(p, group["eps"])}
        eyes = [torch.eye(size, dtype=p.dtype, device=p.device) for size in p.shape]
        return {"L": group["eps"] * eyes[0], "R": group["eps"] * eyes[1]}

    def _update(self, tensors: list[Tensor], t: int, group: State) -> None:
        lr, eps = float(group["lr"]), group["eps"]
        if len(tensors) == 4:
            shampoo(*tensors, lr=lr, eps=eps)
        else:
            g, p, s = tensors
            s.addcmul_(g, g)
            p.addcdiv_(g, s.clamp(min=torch.finfo(s.dtype).tiny).sqrt(), value=-lr)


class SOAP(_ByShape):
    """Matrices: AdamW in the coordinates of the eigenvectors of Shampoo's L and R; all other parameters: AdamW.

    Algorithm 3 of the paper, with AdamW's corrections and decay, from Q = I on: the first `precondition_frequency`
    steps are those of AdamW. (The authors' code takes the eigenvectors of the first gradient, with which it makes no
    step.) A matrix of m × n needs 2 (mn + m² + n²) numbers of state: put embeddings into AdamW.

    Args:
        params: tensors, named tensors, or dicts of groups with options of their own.
        lr: step size, in [0, inf).
        betas: decay of the mean, and of the mean square, L and R, each in [0, 1).
        eps: added to √v̂, in [0, inf).
        weight_decay: λ in [0, inf); a step takes the share lr · λ of each weight away.
        precondition_frequency: the eigenvectors follow L and R every so many steps, an integer in [1, inf).

    Raises:
        ValueError: an option is out of its range.
        TypeError: a parameter is complex, or a DTensor.
        RuntimeError: a gradient is sparse.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        precondition_frequency: int = 10,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        defaults["precondition_frequency"] = precondition_frequency
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: State) -> State:
        state = {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        if p.ndim == 2:
            eyes = [torch.eye(size, dtype=p.dtype, device=p.device) for size in p.shape]
            state |= {"L": torch.zeros_like(eyes[0]), "R": torch.zeros_like(eyes[1]), "Q_L": eyes[0], "Q_R": eyes[1]}
        return state

    def _update(self, tensors: list[Tensor], t: int, group: State) -> None:
        options = {name: group[name] for name in ("betas", "eps", "weight_decay")} | {"lr": float(group["lr"])}
        if len(tensors) == 8:
            soap(*tensors, t=t, precondition_frequency=group["precondition_frequency"], **options)
        else:
            adamw(*tensors, t=t, **options)


def check(options: State) -> None:
    """Refuse an option out of its range, NaN included."""
    names = ("lr", "weight_decay", "eps", "adamw_eps")
    ranges: list[tuple[str, Any, float]] = [(name, options[name], math.inf) for name in names if name in options]
    if "momentum" in options:
        ranges.append(("momentum", options["momentum"], 1))
    for name in {"betas", "adamw_betas"} & options.keys():
        pair = options[name]
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise ValueError(f"{name} must be two numbers, got {pair!r}")
        ranges += [(f"{name}[{i}]", x, 1) for i, x in enumerate(pair)]
    for name, x, high in ranges:
        one_number = isinstance(x, Real) or (name == "lr" and isinstance(x, Tensor) and x.numel() == 1)
        if not (one_number and 0 <= x < high):
            raise ValueError(f"{name} must be in [0, {high}), got {x!r}")
    for name, low, high in (("ns_steps", 0, 100), ("precondition_frequency", 1, math.inf)):
        x = options.get(name, low)
        if not (isinstance(x, int) and not isinstance(x, bool) and low <= x < high):
            raise ValueError(f"{name} must be an integer in [{low}, {high}), got {x!r}")
    three = options.get("ns_coefficients", (0, 0, 0))
    if not (isinstance(three, tuple | list) and len(three) == 3 and all(map(math.isfinite, three))):
        raise ValueError(f"ns_coefficients must be three finite numbers, got {three!r}")
    if options.get("adjust_lr_fn") not in (None, "original", "match_rms_adamw"):
        rule = "None, 'original' or 'match_rms_adamw'"
        raise ValueError(f"adjust_lr_fn must be {rule}, got {options['adjust_lr_fn']!r}")
