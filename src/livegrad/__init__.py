"""Live Gradients: the code of the book, one file a topic.

A file on a shelf (`activations`, `optimizers`, ...) imports torch and the standard library and nothing else,
so that it can be copied out alone. `lab` holds the instruments that the chapters share.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("livegrad")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+uninstalled"
