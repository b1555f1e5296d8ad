"""What a person sees while a run goes on."""

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
    """Tells when `QUIET_SECONDS` have passed in silence."""

    def __init__(self):
        self._spoken = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for a line; silence begins anew with it."""
        now = time.monotonic()
        if now - self._spoken <= QUIET_SECONDS:
            return False
        self._spoken = now
        return True


def _bar(total: int, text: str, **options: Any) -> tqdm:
    """A bar of this format on a terminal; elsewhere none, which `disable` tells."""
    off = not sys.stderr.isatty()
    return tqdm(total=total, bar_format=text, disable=off, dynamic_ncols=True, **options)


class Progress:
    """A bar over the outer steps and a line an evaluation on a terminal; else some lines.

    Args:
        total: outer steps of the whole run.
        done: steps of an earlier part of the run.
    """

    def __init__(self, total: int, done: int):
        self._total = total
        self._accuracy: float | None = None
        self._evaluated = False
        self._bar = _bar(total, BAR, initial=done, desc="distilling")
        self._seldom = Seldom()

    def steps(self, steps: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """Passes (step, loss) on, showing each."""
        for step, loss in steps:
            yield step, loss
            self._bar.update()
            self._show(step, loss)
        self._bar.close()

    def accuracy(self, value: float) -> None:
        """Shows the newest accuracy beside the loss from here on."""
        self._accuracy, self._evaluated = value, True

    def _show(self, step: int, loss: float) -> None:
        known = {"loss": f"{loss:.4f}"}
        if self._accuracy is not None:
            known["accuracy"] = f"{self._accuracy:.4f}"
        words = ", ".join(f"{name} {value}" for name, value in known.items())
        if self._bar.disable:
            spoken = self._seldom.due() or step == self._total
        else:
            spoken, self._evaluated = self._evaluated, False
            self._bar.set_postfix_str(_short(loss, self._accuracy), refresh=False)
        if spoken:
            say(f"outer step {step} of {self._total}: {words}")


def _short(loss: float, accuracy: float | None) -> str:
    return f"loss {loss:.4g}" + ("" if accuracy is None else f", acc {100 * accuracy:.1f}%")


def say(line: str) -> None:
    """Prints a line, above the bar where there is one."""
    # Names of files may hold bytes that are no text.
    tqdm.write(line.encode("utf-8", "replace").decode(), file=sys.stdout)
    sys.stdout.flush()


def counted(items: Iterable[Item], total: int, line: str) -> Iterator[Item]:
    """Passes items on and says how many are done: always on a terminal, elsewhere now and then.

    Args:
        items: each is done when the next one is asked for.
        total: how many there are.
        line: with `{}` for the number that is done and for the total.
    """
    seldom = Seldom()
    with _bar(total, _text(line), leave=False) as bar:
        for done, item in enumerate(items):
            if bar.disable and seldom.due():
                say(line.format(done, total))
            yield item
            bar.update()


def named(items: Sequence[Item], line: str, name: Callable[[Item], str] = str) -> Iterator[Item]:
    """Passes items on; a terminal shows how many are done, and which one is being done.

    Args:
        items: each is done when the next one is asked for; they take long, and say something
            when they are done.
        line: as for `counted`.
        name: of an item.
    """
    with _bar(len(items), _text(line) + "{postfix}", leave=False) as bar:
        for item in items:
            bar.set_postfix_str(f"now {name(item)}")
            yield item
            bar.update()


def _text(line: str) -> str:
    """A bar's format for a line with `{}` for the number that is done and for the total."""
    return line.format("{n_fmt}", "{total_fmt}") + " [{elapsed}<{remaining}]"
