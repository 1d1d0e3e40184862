"""Train many copies of one network at once: every seed and every learning rate of an experiment in one go.

Small networks spend most of their time between operations, not in them. So the weights of all runs are stacked,
`torch.func.vmap` walks over them, and the gradient is traced once into a plain list of operations: a comparison over
seeds and learning rates costs two or three runs, not dozens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx

Named = dict[str, Tensor]


class Grid:
    """Networks of one architecture, trained side by side by plain gradient descent, each at its own rate.

    Args:
        models: at least one; equal in everything but the numbers in their parameters. They are copied, not changed.
            Batch normalization must be built with `track_running_stats=False`, because running statistics are
            changed in place.
        lrs: one learning rate per model, all positive.

    Raises:
        ValueError: no model, another number of rates than of models, or a rate that is not positive and finite.
    """

    def __init__(self, models: Sequence[nn.Module], lrs: Sequence[float]) -> None:
        if not len(models) == len(lrs) >= 1:
            raise ValueError(f"lrs must hold one rate per model, at least 1, got {len(lrs)} for {len(models)}")
        if not all(0 < lr < float("inf") for lr in lrs):
            raise ValueError(f"lrs must all be positive and finite, got {list(lrs)}")
        self.base = models[0]
        parameters, self.buffers = stack_module_state(list(models))
        self.parameters = {name: value.detach() for name, value in parameters.items()}
        self.lrs = torch.tensor(list(lrs))

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs of every model for the same inputs, shape (models, n, ...)."""
        with torch.no_grad():
            outputs: Tensor = vmap(self._call, in_dims=(0, 0, None), randomness="different")(
                self.parameters, self.buffers, x
            )
        return outputs

    def fit(
        self,
        x: Tensor,
        y: Tensor,
        *,
        steps: int,
        batch_size: int = 64,
        loss: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
        seed: int = 0,
    ) -> Tensor:
        """Take `steps` steps of w ← w - lr · ∂loss/∂w and return the losses before each, shape (steps, models).

        All models see the same minibatches: a shuffled pass over the data an epoch, in whole batches only (the rest
        of an epoch is dropped, because batch normalization suffers from a last batch of a few examples).

        Raises:
            ValueError: `steps` below 1, or `batch_size` not between 1 and the number of examples.
        """
        if not steps >= 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        if not 1 <= batch_size <= len(x):
            raise ValueError(f"batch_size must be in [1, {len(x)}], got {batch_size}")

        def one(parameters: Named, buffers: Named, xb: Tensor, yb: Tensor) -> tuple[Tensor, Tensor]:
            value = loss(self._call(parameters, buffers, xb), yb)
            return value, value

        gradient = vmap(grad(one, has_aux=True), in_dims=(0, 0, None, None), randomness="different")
        generator = torch.Generator().manual_seed(seed)
        batches: list[Tensor] = []
        losses: list[Tensor] = []
        for _ in range(steps):
            if not batches:
                order = torch.randperm(len(x), generator=generator)
                batches = list(order[: len(x) // batch_size * batch_size].split(batch_size))
            state = self.parameters, self.buffers, x[batches[-1]], y[batches.pop()]
            if not losses:
                gradient = make_fx(gradient)(*state)
            gradients, values = gradient(*state)
            for name, value in self.parameters.items():
                value.sub_(self.lrs.to(value).view(-1, *[1] * (value.ndim - 1)) * gradients[name])
            losses.append(values)
        return torch.stack(losses)

    def accuracy(self, x: Tensor, y: Tensor) -> Tensor:
        """Share of right answers of every model, shape (models,); NaN where its outputs are not finite."""
        outputs = self(x)
        right = (outputs.argmax(dim=-1) == y).double().mean(dim=-1)
        return right.where(outputs.isfinite().flatten(1).all(dim=1), torch.nan)

    def _call(self, parameters: Named, buffers: Named, x: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self.base, (parameters, buffers), (x,))
        return outputs
