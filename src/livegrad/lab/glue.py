"""Give a number a name, so that the prose of a chapter can print it: the text never types a result."""

from __future__ import annotations

from typing import Any

PREFIX = "application/papermill.record/"


def glue(name: str, value: Any) -> None:
    """Record `value` under `name` in the cell's output, for `` {glue:text}`page.md::name:.3f` `` in prose.

    Nothing is shown where the cell stands. Tensors and NumPy scalars of one element become Python numbers.
    Works in any notebook (Colab too), where the record is ignored.

    Raises:
        ValueError: `name` is not an identifier (letters, digits, underscore), or `value` is a tensor or array
            that does not hold one element.
    """
    from IPython.display import display

    if not name.isidentifier():
        raise ValueError(f"name must be an identifier, got {name!r}")
    if hasattr(value, "item"):
        if getattr(value, "size", 1) != 1 if not hasattr(value, "numel") else value.numel() != 1:
            raise ValueError(f"value must have one element, got shape {tuple(value.shape)} for {name!r}")
        value = value.item()
    display(
        {PREFIX + "text/plain": repr(value)},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": PREFIX}},
    )
