"""Which flags belong to which --mode, beside the settings of a run, which are for all of them."""

import dataclasses
from collections.abc import Iterable

from tf_distill.config import Protocol
from tf_distill.errors import UserError, unknown_name

OWN: dict[str, tuple[str, ...]] = {
    "distill": (),
    "estimate": (),
    "baselines": tuple(field.name for field in dataclasses.fields(Protocol)),
    "original": (),
    "sweep": ("sizes", "shard"),
    "ranking": (),
    "report": (),
    "compare": ("out",),
    "each": ("seeds", "shard"),
}
"""All modes, each with the flags that do something in it and not in every other."""


def check(mode: str, given: Iterable[str]) -> None:
    """Raises UserError where there is no such mode, or one of the flags given is for others."""
    if mode not in OWN:
        raise unknown_name("--mode", mode, OWN)
    for name in given:
        modes = [other for other, own in OWN.items() if name in own]
        if modes and mode not in modes:
            raise UserError(
                f"--{name} is for --mode={' or --mode='.join(modes)}, got --mode={mode}; leave it "
                "out, or name that mode"
            )
