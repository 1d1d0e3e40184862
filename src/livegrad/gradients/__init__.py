"""Why gradients vanish or explode, and how to see it: `from livegrad.gradients import Recorder`."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .diagnosing import Finding as Finding
    from .diagnosing import Layer as Layer
    from .diagnosing import Recorder as Recorder
    from .diagnosing import Report as Report
    from .exploding import Growth as Growth
    from .exploding import Rescue as Rescue
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {"diagnosing": ["Finding", "Layer", "Recorder", "Report"], "exploding": ["Growth", "Rescue"]},
    )
