"""The ways a run can end early, and words for error messages."""

import difflib
import re
import reprlib
from collections.abc import Iterable

_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 80


class UserError(Exception):
    """A mistake of the user.

    Its text is one line: what was got, what was expected, what to do. It names settings without
    dashes: `seed=3`, `inner_lr`. A program prints it with the dashes of flags, without a
    traceback, and ends with `exit_status`.
    """

    exit_status = 2


class Diverged(UserError):
    """The numbers of a run have become NaN or infinite; its text says what to lower."""

    exit_status = 3


class NotEqual(UserError):
    """A set does not give its stored accuracy here."""

    exit_status = 1


class WorkerLost(UserError):
    """Another worker of the cluster is gone; its text says how to continue."""

    exit_status = 4


class Interrupted(Exception):
    """The run was asked to stop, and has saved its state."""


def unknown_name(what: str, got: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a registry, with the nearest names first."""
    known = sorted(known)
    near = difflib.get_close_matches(str(got), known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError(f"unknown {what} {brief(got)}; {hint}known: {', '.join(known)}")


def no_flag_file(name: str) -> UserError:
    """The error for a missing flag file."""
    return UserError(f"there is no flag file {name}; expected some, such as flags/*.flags")


def without_operation(text: str) -> str:
    """The text of an error of TensorFlow, without the names of its operation and device."""
    return re.sub(r"{{.*?}} | \[Op:\w*\]", "", text)


def brief(value: object) -> str:
    """A value as Python writes it, on one line; long and deep values are cut."""
    return " ".join(_BRIEF.repr(value).split())


def reason(error: BaseException) -> str:
    """The sentence that matters in an error of Keras or TensorFlow."""
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    if text.startswith("in user code:"):  # then the lines of the code stand before the error
        text = re.sub(r".*?(?=\w+Error: )", "", text, count=1, flags=re.DOTALL)
        text = re.sub(r"\w+Error: (?=Exception encountered)", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception encountered", "in user"))]
    sentence = told[0] if told else type(error).__name__
    return sentence.partition(" You can attempt")[0].rstrip(".")[:300]
