"""Lines and bars on the terminal while a run works."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

QUIET_SECONDS = 30
BAR = "{desc} |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"
"""Short, so that 80 columns have room for a bar, the loss and the accuracy."""

Item = TypeVar("Item")


class Seldom:
    """A clock that tells when `QUIET_SECONDS` have passed without a line."""

    def __init__(self):
        self._spoken = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for a line; if so, the clock starts again."""
        now = time.monotonic()
        if now - self._spoken <= QUIET_SECONDS:
            return False
        self._spoken = now
        return True


def _bar(total: int, text: str, **options: Any) -> tqdm:
    """A bar of this format on a terminal; elsewhere its `disable` is True."""
    off = not sys.stderr.isatty()
    return tqdm(total=total, bar_format=text, disable=off, dynamic_ncols=True, **options)


class Progress:
    """Shows the outer steps: a bar and a line for each evaluation; without a terminal some lines.

    A run of `total` steps goes on after `done` ones; evaluations tell a `measure`.
    """

    def __init__(self, total: int, done: int, measure: str = "accuracy"):
        self._total, self._measure = total, measure
        self._accuracy: float | None = None
        self._evaluated = False
        self._bar = _bar(total, BAR, initial=done, desc="distilling")
        self._seldom = Seldom()

    def steps(self, steps: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """Yields the given (step, loss), and shows each."""
        for step, loss in steps:
            yield step, loss
            self._bar.update()
            self._show(step, loss, self._accuracy)
        self._bar.close()

    def accuracy(self, value: float) -> None:
        """Shows this accuracy beside the loss from now on."""
        self._accuracy, self._evaluated = value, True

    def _show(self, step: int, loss: float, accuracy: float | None) -> None:
        if self._bar.disable:
            spoken = self._seldom.due() or step == self._total
        else:
            spoken, self._evaluated = self._evaluated, False
            short = "" if accuracy is None else f", {self._measure[:3]} {100 * accuracy:.1f}%"
            self._bar.set_postfix_str(f"loss {loss:.4g}{short}", refresh=False)
        if spoken:
            known = "" if accuracy is None else f", {self._measure} {accuracy:.4f}"
            say(f"outer step {step} of {self._total}: loss {loss:.4f}{known}")


def say(line: str) -> None:
    """Prints a line, above the bar if there is one."""
    # Names of files may hold bytes that are no text.
    tqdm.write(line.encode("utf-8", "replace").decode(), file=sys.stdout)
    sys.stdout.flush()


def counted(items: Iterable[Item], total: int, line: str) -> Iterator[Item]:
    """Yields the items and shows how many are done: on a terminal always, elsewhere now and then.

    An item is done when the next one is taken. `line` has `{}` for their number and the total.
    """
    seldom = Seldom()
    with _bar(total, _text(line), leave=False) as bar:
        for done, item in enumerate(items):
            if bar.disable and seldom.due():
                say(line.format(done, total))
            yield item
            bar.update()


def named(items: Sequence[Item], line: str, name: Callable[[Item], str] = str) -> Iterator[Item]:
    """Yields the items; a terminal shows how many are done, and the name of the current one.

    Each takes long, and prints a line itself when it is done. `line` is as for `counted`.
    """
    with _bar(len(items), _text(line) + "{postfix}", leave=False) as bar:
        for item in items:
            bar.set_postfix_str(f"now {name(item)}")
            yield item
            bar.update()


def _text(line: str) -> str:
    """The format of a bar with the text of a line."""
    return line.format("{n_fmt}", "{total_fmt}") + " [{elapsed}<{remaining}]"
