"""tf_distill: dataset distillation with soft labels, for images, text and tables, on TensorFlow.

    import tf_distill as td
    result = td.distill(data, model=build_model)

What is public here is imported at its first use: TensorFlow takes seconds.
"""

import contextlib
import typing

from tf_distill._version import __version__

if typing.TYPE_CHECKING:
    from tf_distill import datasets, layers
    from tf_distill.api import Result, distill
    from tf_distill.common import Diverged, Interrupted, UserError
    from tf_distill.core import Accuracy, Callback, Samples, losses
    from tf_distill.evaluation.audit import Attack, Audit, audit
    from tf_distill.evaluation.original import Original
    from tf_distill.evaluation.verification import Verification, verify
    from tf_distill.export import LoadedSet, merge
    from tf_distill.export import load as load_distilled
    from tf_distill.export import save as save_distilled
    from tf_distill.networks import Training

__all__ = [
    "Accuracy",
    "Attack",
    "Audit",
    "Callback",
    "Diverged",
    "Interrupted",
    "LoadedSet",
    "Original",
    "Result",
    "Samples",
    "Training",
    "UserError",
    "Verification",
    "__version__",
    "audit",
    "datasets",
    "distill",
    "layers",
    "load_distilled",
    "losses",
    "merge",
    "save_distilled",
    "verify",
]

_PLACES = {
    "Accuracy": ("core", "Accuracy"),
    "Attack": ("evaluation.audit", "Attack"),
    "Audit": ("evaluation.audit", "Audit"),
    "Callback": ("core", "Callback"),
    "Diverged": ("common", "Diverged"),
    "Interrupted": ("common", "Interrupted"),
    "LoadedSet": ("export", "LoadedSet"),
    "Original": ("evaluation.original", "Original"),
    "Result": ("api", "Result"),
    "Samples": ("core", "Samples"),
    "Training": ("networks", "Training"),
    "UserError": ("common", "UserError"),
    "Verification": ("evaluation.verification", "Verification"),
    "audit": ("evaluation.audit", "audit"),
    "datasets": ("datasets", None),
    "distill": ("api", "distill"),
    "layers": ("layers", None),
    "load_distilled": ("export", "load"),
    "losses": ("core.losses", None),
    "merge": ("export", "merge"),
    "save_distilled": ("export", "save"),
    "verify": ("evaluation.verification", "verify"),
}


def __getattr__(name: str) -> typing.Any:
    """Imports a public name at its first use."""
    import importlib
    import sys

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tf_distill.common.startup import quiet

    module, member = _PLACES[name]
    first = "tensorflow" not in sys.modules  # else it is the user's own to be heard or not
    with quiet(silent=True) if first else contextlib.nullcontext():
        found = importlib.import_module(f"{__name__}.{module}")
    return found if member is None else getattr(found, member)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
