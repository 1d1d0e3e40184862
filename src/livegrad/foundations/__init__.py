"""What every later chapter rests on; functions are imported from the files, `Value` and `MLP` also from here."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .backpropagation import MLP as MLP
    from .backpropagation import Value as Value
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, {"backpropagation": ["MLP", "Value"]})
