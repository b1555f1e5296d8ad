"""tf_distill: dataset distillation with soft labels, for images and text, on TensorFlow.

    import tf_distill as td
    result = td.distill(data, model=build_model)

What is public here is imported at its first use: TensorFlow takes seconds.
"""

import contextlib
import typing

from tf_distill._version import __version__

if typing.TYPE_CHECKING:
    from tf_distill import datasets, layers
    from tf_distill.api import distill
    from tf_distill.callbacks import Callback
    from tf_distill.errors import Diverged, Interrupted, UserError
    from tf_distill.evaluate import Accuracy
    from tf_distill.inner import Samples
    from tf_distill.models import Training
    from tf_distill.original import Original
    from tf_distill.result import Result
    from tf_distill.saved_set import LoadedSet
    from tf_distill.saved_set import load as load_distilled

__all__ = [
    "Accuracy",
    "Callback",
    "Diverged",
    "Interrupted",
    "LoadedSet",
    "Original",
    "Result",
    "Samples",
    "Training",
    "UserError",
    "__version__",
    "datasets",
    "distill",
    "layers",
    "load_distilled",
]

_PLACES = {
    "Accuracy": ("evaluate", "Accuracy"),
    "Callback": ("callbacks", "Callback"),
    "Diverged": ("errors", "Diverged"),
    "Interrupted": ("errors", "Interrupted"),
    "LoadedSet": ("saved_set", "LoadedSet"),
    "Original": ("original", "Original"),
    "Result": ("result", "Result"),
    "Samples": ("inner", "Samples"),
    "Training": ("models", "Training"),
    "UserError": ("errors", "UserError"),
    "datasets": ("datasets", None),
    "distill": ("api", "distill"),
    "layers": ("layers", None),
    "load_distilled": ("saved_set", "load"),
}


def __getattr__(name: str) -> typing.Any:
    """Imports a public name at its first use."""
    import importlib
    import sys

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tf_distill.startup import quiet

    module, member = _PLACES[name]
    first = "tensorflow" not in sys.modules  # else it is the user's own to be heard or not
    with quiet(silent=True) if first else contextlib.nullcontext():
        found = importlib.import_module(f"{__name__}.{module}")
    return found if member is None else getattr(found, member)


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
