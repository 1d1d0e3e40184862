"""A whole convolutional network for small pictures: convolution, ReLU and max pooling, repeated; then one linear layer.

Source: LeCun, Bottou, Bengio & Haffner 1998, section II, https://doi.org/10.1109/5.726791 (the arrangement);
Krizhevsky, Sutskever & Hinton 2012, https://papers.nips.cc/paper/4824 (with ReLU and max pooling).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvNet(nn.Module):
    """Pictures (N, in_channels, height, width) → one number per class, (N, num_classes): logits for cross-entropy.

    Padding keeps the size in a convolution, so that only pooling makes the maps smaller. `features[i]` is the i-th
    block, `features[i][0]` its convolution.

    Args:
        in_channels: 1 for gray pictures, 3 for colored ones.
        image_size: height and width of the pictures, in pixels.
        num_classes: how many kinds of pictures, at least 2.
        channels: filters of each convolution; as many blocks as numbers.
        kernel_size: side of the filters, odd.
        pool_size: side of the pooling windows, which stand side by side; 1 means no pooling.

    Raises:
        ValueError: a number is out of range, or the pooling windows leave nothing of the picture.
    """

    def __init__(
        self,
        in_channels: int,
        image_size: tuple[int, int],
        num_classes: int,
        channels: Sequence[int] = (16, 32),
        kernel_size: int = 3,
        pool_size: int = 2,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("in_channels", in_channels, 1),
            ("num_classes", num_classes, 2),
            ("pool_size", pool_size, 1),
        ):
            if not value >= least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if not (len(channels) >= 1 and min(channels) >= 1):
            raise ValueError(f"channels must hold at least one number, all at least 1, got {tuple(channels)}")
        if not (kernel_size >= 1 and kernel_size % 2 == 1):  # an even filter cannot keep the size
            raise ValueError(f"kernel_size must be odd and at least 1, got {kernel_size}")
        shrink = pool_size ** len(channels)
        height, width = (side // shrink for side in image_size)
        if not min(height, width) >= 1:
            raise ValueError(
                f"image_size must be at least {shrink} for {len(channels)} poolings by {pool_size}, "
                f"got {tuple(image_size)}"
            )
        self.in_channels, self.image_size = in_channels, tuple(image_size)
        blocks = [
            nn.Sequential(
                nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2), nn.ReLU(), nn.MaxPool2d(pool_size)
            )
            for before, after in zip([in_channels, *channels[:-1]], channels, strict=True)
        ]
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels[-1] * height * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        # The last layer has a weight for every place, so pictures of another size cannot be meant.
        if not (x.ndim == 4 and tuple(x.shape[1:]) == (self.in_channels, *self.image_size)):
            expected = ", ".join(map(str, (self.in_channels, *self.image_size)))
            raise ValueError(f"x must have shape (N, {expected}), got {tuple(x.shape)}")
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


def confusion_matrix(target: Tensor, prediction: Tensor, num_classes: int) -> Tensor:
    """How often class j was answered where i was right, shape (num_classes, num_classes), integers.

    Rows are the truth, columns the answers, as in scikit-learn: the diagonal counts what is right, and the sum of a row
    is how often its class occurs.

    Raises:
        ValueError: shapes that differ, or a class outside [0, num_classes).
    """
    if not target.shape == prediction.shape:
        raise ValueError(
            f"prediction must have the shape of target, {tuple(target.shape)}, got {tuple(prediction.shape)}"
        )
    for name, classes in (("target", target), ("prediction", prediction)):
        if classes.numel() and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(f"{name} must be in [0, {num_classes}), got {int(classes.min())} to {int(classes.max())}")
    pairs = target.flatten().long() * num_classes + prediction.flatten().long()
    return torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)
