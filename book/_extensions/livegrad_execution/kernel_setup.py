"""Runs in every chapter's kernel before the first cell: a deprecated call is an error, on the line that makes it."""

import warnings

for _category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
    warnings.filterwarnings("error", category=_category)
# The kernel's own machinery is not the chapter's business.
for _module in ("IPython", "asyncio", "comm", "debugpy", "ipykernel", "jupyter_client", "matplotlib_inline",
                "tornado", "traitlets", "zmq"):  # fmt: skip
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=rf"{_module}(\.|$)")
del _category, _module, warnings
