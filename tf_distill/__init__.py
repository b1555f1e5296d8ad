"""tf_distill: dataset distillation with soft labels, for images and text, on TensorFlow."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`tf_distill.load_distilled`, imported at its first use: TensorFlow takes seconds."""
    if name == "load_distilled":
        from tf_distill.saved_set import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
