"""Residual blocks: the input is added to what the layers make of it, h ← shortcut(h) + branch(h).

Source: He, Zhang, Ren & Sun 2016a, Deep Residual Learning, equations 1 and 2 and figure 2,
https://arxiv.org/abs/1512.03385 (activation after the sum); the same authors 2016b, Identity Mappings in Deep
Residual Networks, figure 1b, https://arxiv.org/abs/1603.05027 (activation before the layers).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """x ↦ shortcut(x) + branch(x) with any branch; without a shortcut the input itself is added.

    Raises ValueError if the two do not have the same shape: they are not broadcast.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        change, kept = self.branch(x), self.shortcut(x)
        if change.shape != kept.shape:
            raise ValueError(
                f"branch must have the shape of the shortcut, {tuple(kept.shape)}, got {tuple(change.shape)}"
            )
        out: Tensor = kept + change
        return out


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with the activation *after* the sum: relu(shortcut(x) + bn(conv(relu(bn(conv(x)))))).

    Where the stride is not 1 or the channels change, the shortcut is a 1×1 convolution with batch norm (option B of
    the paper), else the input itself. The names of the weights are those of torchvision's block.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        _check(in_channels, out_channels, stride)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        kept = x if self.downsample is None else self.downsample(x)
        change = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(kept + change)


class PreActBlock(nn.Module):
    """Two 3×3 convolutions with the activation *before* each: shortcut(x) + conv(relu(bn(conv(relu(bn(x)))))).

    Nothing follows the sum, so from block to block there is a way that only adds. A projection, where needed, is a
    1×1 convolution of the activated input.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        _check(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.projection: nn.Module | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.bn1(x))
        kept = x if self.projection is None else self.projection(active)
        change: Tensor = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return kept + change


def _check(in_channels: int, out_channels: int, stride: int) -> None:
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("stride", stride)):
        if not value >= 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
