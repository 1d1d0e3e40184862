"""Initializers that fill a tensor in place: `from livegrad.initializers import kaiming_normal_`."""

from typing import TYPE_CHECKING

from livegrad._lazy import lazy_exports

if TYPE_CHECKING:
    from .edge_of_chaos import Phase as Phase
    from .kaiming import kaiming_normal_ as kaiming_normal_
    from .kaiming import kaiming_trunc_normal_ as kaiming_trunc_normal_
    from .kaiming import kaiming_uniform_ as kaiming_uniform_
    from .lsuv import Met as Met
    from .lsuv import lsuv_ as lsuv_
    from .mup import mup_ as mup_
    from .orthogonal import delta_orthogonal_ as delta_orthogonal_
    from .orthogonal import orthogonal_ as orthogonal_
    from .residual_initialization import FixupBranch as FixupBranch
    from .residual_initialization import fixup_ as fixup_
    from .residual_initialization import scale_last_ as scale_last_
    from .residual_initialization import zero_last_ as zero_last_
    from .symmetry import constant_ as constant_
    from .symmetry import ones_ as ones_
    from .symmetry import zeros_ as zeros_
    from .xavier import lecun_normal_ as lecun_normal_
    from .xavier import lecun_trunc_normal_ as lecun_trunc_normal_
    from .xavier import lecun_uniform_ as lecun_uniform_
    from .xavier import xavier_normal_ as xavier_normal_
    from .xavier import xavier_trunc_normal_ as xavier_trunc_normal_
    from .xavier import xavier_uniform_ as xavier_uniform_
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "edge_of_chaos": ["Phase"],
            "kaiming": ["kaiming_normal_", "kaiming_trunc_normal_", "kaiming_uniform_"],
            "lsuv": ["Met", "lsuv_"],
            "mup": ["mup_"],
            "orthogonal": ["delta_orthogonal_", "orthogonal_"],
            "residual_initialization": ["FixupBranch", "fixup_", "scale_last_", "zero_last_"],
            "symmetry": ["constant_", "ones_", "zeros_"],
            "xavier": [
                "lecun_normal_",
                "lecun_trunc_normal_",
                "lecun_uniform_",
                "xavier_normal_",
                "xavier_trunc_normal_",
                "xavier_uniform_",
            ],
        },
    )
