"""Optimizers with torch's interface: `from livegrad.optimizers import Adam`."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .adafactor import Adafactor as Adafactor
    from .adagrad import Adadelta as Adadelta
    from .adagrad import Adagrad as Adagrad
    from .adam import Adam as Adam
    from .adam_variants import Adamax as Adamax
    from .adam_variants import NAdam as NAdam
    from .adam_variants import RAdam as RAdam
    from .adamw import AdamW as AdamW
    from .clipping import adaptive_clip_grad_ as adaptive_clip_grad_
    from .clipping import clip_grad_norm_ as clip_grad_norm_
    from .clipping import clip_grad_value_ as clip_grad_value_
    from .large_batch import LAMB as LAMB
    from .large_batch import LARS as LARS
    from .learning_rate import RangeTest as RangeTest
    from .matrix_preconditioning import SOAP as SOAP
    from .matrix_preconditioning import Muon as Muon
    from .matrix_preconditioning import Shampoo as Shampoo
    from .rmsprop import RMSprop as RMSprop
    from .schedule_free import AdamWScheduleFree as AdamWScheduleFree
    from .schedule_free import SGDScheduleFree as SGDScheduleFree
    from .sgd import SGD as SGD
    from .sharpness_aware import SAM as SAM
    from .sign_descent import Lion as Lion
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "adafactor": ["Adafactor"],
            "adagrad": ["Adadelta", "Adagrad"],
            "adam": ["Adam"],
            "adam_variants": ["Adamax", "NAdam", "RAdam"],
            "adamw": ["AdamW"],
            "clipping": ["adaptive_clip_grad_", "clip_grad_norm_", "clip_grad_value_"],
            "large_batch": ["LAMB", "LARS"],
            "learning_rate": ["RangeTest"],
            "matrix_preconditioning": ["SOAP", "Muon", "Shampoo"],
            "rmsprop": ["RMSprop"],
            "schedule_free": ["AdamWScheduleFree", "SGDScheduleFree"],
            "sgd": ["SGD"],
            "sharpness_aware": ["SAM"],
            "sign_descent": ["Lion"],
        },
    )
