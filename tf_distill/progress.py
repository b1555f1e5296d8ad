"""What a person sees while a run goes on."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

QUIET_SECONDS = 30

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


class Progress:
    """A bar over the outer steps on a terminal; elsewhere a line now and then.

    Args:
        total: outer steps of the whole run.
        done: steps of an earlier part of the run.
    """

    def __init__(self, total: int, done: int):
        self._total = total
        self._accuracy: float | None = None
        self._terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=total, initial=done, unit="step", desc="distilling", disable=not self._terminal
        )
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
        self._accuracy = value

    def _show(self, step: int, loss: float) -> None:
        known = {"loss": f"{loss:.4f}"}
        if self._accuracy is not None:
            known["accuracy"] = f"{self._accuracy:.4f}"
        if self._terminal:
            self._bar.set_postfix(known, refresh=False)
        elif self._seldom.due() or step == self._total:
            words = ", ".join(f"{name} {value}" for name, value in known.items())
            print(f"outer step {step} of {self._total}: {words}", flush=True)


def say(line: str) -> None:
    """Prints a line, above the bar where there is one."""
    # Names of files may hold bytes that are no text.
    tqdm.write(line.encode("utf-8", "replace").decode(), file=sys.stdout)
    sys.stdout.flush()


def counted(items: Iterable[Item], total: int, line: str) -> Iterator[Item]:
    """Passes items on and says now and then how many are done.

    Args:
        items: each is done when the next one is asked for.
        total: how many there are.
        line: with `{}` for the number that is done and for the total.
    """
    seldom = Seldom()
    for done, item in enumerate(items):
        if seldom.due():
            say(line.format(done, total))
        yield item
