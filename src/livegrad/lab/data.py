"""Real data that ships with a package, so that every page builds without a network."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Split(NamedTuple):
    """Training and test part of a data set: inputs `x` and integer labels `y`."""

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor


def digits(test_share: float = 0.25, *, flat: bool = True, seed: int = 0) -> Split:
    """The 1,797 handwritten digits of scikit-learn: 8×8 pixels, ten classes, float32.

    Pixels are centered and scaled with the mean and the standard deviation of the *training* part (one number
    each, not one a pixel, so that blank border pixels stay finite). The split is stratified and fixed by `seed`.

    Args:
        test_share: part held out for testing, in (0, 1).
        flat: inputs of shape (n, 64); otherwise images of shape (n, 1, 8, 8).
        seed: which split.

    Raises:
        ValueError: `test_share` outside (0, 1).

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49, as copied in scikit-learn (its test part).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be in (0, 1), got {test_share}")
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x, y, test_size=test_share, random_state=seed, stratify=y)
    x_train, x_test = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    y_train, y_test = (torch.tensor(part, dtype=torch.long) for part in parts[2:])
    mean, std = x_train.mean(), x_train.std()
    shape = (-1, 64) if flat else (-1, 1, 8, 8)
    return Split(((x_train - mean) / std).reshape(shape), y_train, ((x_test - mean) / std).reshape(shape), y_test)
