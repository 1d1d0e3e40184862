"""The race: what `measure` gives, run by run, for optimizers that look at elements or at whole tensors."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from livegrad.lab.optimizer_report import RATES, measure
from livegrad.lab.race import race

SOME = [2, 4, 6]  # indices of rates


def test_it_gives_the_losses_of_the_standard_picture() -> None:
    want = measure(lambda parameters, lr: torch.optim.SGD(parameters, lr=lr), seeds=(0, 1), steps=20).loss[SOME]
    got = race(torch.optim.SGD, rates=[RATES[i] for i in SOME], seeds=(0, 1), steps=20)
    assert got.shape == (3, 2, 20)
    np.testing.assert_allclose(got, want, rtol=1e-4)  # float32, summed in another order


def test_runs_that_share_tensors_and_runs_with_their_own_end_alike() -> None:
    options = {"rates": [0.001, 0.01], "seeds": (0, 1, 2), "steps": 10, "sizes": [64, 8, 10]}
    together, apart = (race(torch.optim.Adam, elementwise=e, **options) for e in (True, False))
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_each_run_has_tensors_of_the_shapes_of_its_network() -> None:
    shapes = []

    def make(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
        shapes.extend([tuple(p.shape) for p in group["params"]] for group in groups)
        return torch.optim.SGD(groups)

    race(make, rates=[0.1], seeds=(0, 1), steps=1, sizes=[64, 8, 10], elementwise=False)
    assert sorted(shapes[0]) == sorted([(64, 8), (8,), (8, 10), (10,)] * 2)


def test_the_schedule_multiplies_every_rate_from_step_one() -> None:
    seen = []

    def schedule(t: int) -> float:
        seen.append(t)
        return 0.0 if t > 2 else 1.0

    scheduled = race(torch.optim.SGD, rates=[0.1], seeds=(0, 1, 2), steps=5, sizes=[64, 8, 10], schedule=schedule)
    plain = race(torch.optim.SGD, rates=[0.1], seeds=(0, 1, 2), steps=5, sizes=[64, 8, 10])
    assert set(seen) == {1, 2, 3, 4, 5}
    assert np.array_equal(scheduled[..., :3], plain[..., :3])
    assert not np.array_equal(scheduled[..., 3], plain[..., 3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": []}, "rates must hold at least 1 rate, got []"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
    ],
)
def test_a_race_that_cannot_be_run_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        race(torch.optim.SGD, **options)
