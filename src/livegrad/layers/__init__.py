"""Layers that keep gradients alive, and those of convolutional networks: `from livegrad.layers import Conv2d`."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .convnet import ConvNet as ConvNet
    from .convolution import Conv2d as Conv2d
    from .convolution import ConvTranspose2d as ConvTranspose2d
    from .convolution import Window as Window
    from .normalization import BatchNorm1d as BatchNorm1d
    from .normalization import BatchNorm2d as BatchNorm2d
    from .normalization import GroupNorm as GroupNorm
    from .normalization import LayerNorm as LayerNorm
    from .normalization import RMSNorm as RMSNorm
    from .pooling import AvgPool2d as AvgPool2d
    from .pooling import MaxPool2d as MaxPool2d
    from .recurrent_networks import GRU as GRU
    from .recurrent_networks import LSTM as LSTM
    from .recurrent_networks import RNN as RNN
    from .recurrent_networks import GRUCell as GRUCell
    from .recurrent_networks import LSTMCell as LSTMCell
    from .recurrent_networks import RNNCell as RNNCell
    from .residual_networks import BasicBlock as BasicBlock
    from .residual_networks import PreActBlock as PreActBlock
    from .residual_networks import Residual as Residual
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "convnet": ["ConvNet"],
            "convolution": ["Conv2d", "ConvTranspose2d", "Window"],
            "normalization": ["BatchNorm1d", "BatchNorm2d", "GroupNorm", "LayerNorm", "RMSNorm"],
            "pooling": ["AvgPool2d", "MaxPool2d"],
            "recurrent_networks": ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"],
            "residual_networks": ["BasicBlock", "PreActBlock", "Residual"],
        },
    )
