"""Repeat an experiment over seeds and say how sure the result is: one seed lies."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

SEEDS = tuple(range(5))


def over_seeds(run: Callable[[int], Any], seeds: Iterable[int] = SEEDS) -> NDArray[np.float64]:
    """Stack `run(seed)` for every seed, shape `(len(seeds), ...)`, in float64.

    torch's global generator is set to the seed before each run and is put back afterwards, so an experiment
    neither depends on the cells above it nor changes the ones below.

    Raises:
        ValueError: fewer than three seeds: no spread can be shown.
    """
    seeds = list(seeds)
    if not len(seeds) >= 3:
        raise ValueError(f"seeds must hold at least 3 seeds, got {seeds}")
    results = []
    for seed in seeds:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            results.append(np.asarray(run(seed), dtype=np.float64))
    return np.stack(results)


@dataclass(frozen=True)
class Estimate:
    """A mean with the half-width of its 95 % confidence interval."""

    mean: float
    half_width: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half_width

    def __str__(self) -> str:
        return f"{self.mean:.3g} ± {self.half_width:.2g}"


def confidence(values: Sequence[float] | NDArray[np.float64], level: float = 0.95) -> Estimate:
    """Mean of one value per seed and Student's t interval at `level`.

    For two contestants run on the same seeds give the differences: the interval of the difference is what
    decides, and pairing removes what the seeds have in common.

    Raises:
        ValueError: fewer than three values, or `level` outside (0, 1).
    """
    from scipy.stats import t

    if not len(values) >= 3:
        raise ValueError(f"values must hold at least 3 values, got {len(values)}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    numbers = [float(v) for v in values]
    spread = statistics.stdev(numbers) / len(numbers) ** 0.5
    return Estimate(statistics.fmean(numbers), float(t.ppf((1 + level) / 2, len(numbers) - 1)) * spread)
