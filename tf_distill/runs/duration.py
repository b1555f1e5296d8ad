"""How long a run will take: some outer steps and tests are run and timed, the rest follows."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from tf_distill.common import count, minutes
from tf_distill.config import Config

STEPS, SECONDS = 20, 5.0
"""At most so many outer steps are timed, and no more after so many seconds."""


class Duration(NamedTuple):
    """Seconds: to compile at the start, of an outer step, and of an evaluation.

    timed: the outer steps that the mean is over; together: networks that an evaluation trains and
    tests at a time.
    """

    start: float
    step: float
    evaluation: float
    timed: int = 1
    together: int = 1

    def of_networks(self, networks: int) -> float:
        """Seconds to train and test so many networks."""
        return self.evaluation * math.ceil(networks / self.together)


def measure(
    step: Callable[[], object], evaluate: Callable[[], object], steps: int, together: int
) -> Duration:
    """Runs and times a few outer steps and evaluations; the first of each is compiled.

    Args:
        step: does an outer step.
        evaluate: trains and tests `together` networks at a time.
        steps: all outer steps of the run.
        together: networks.
    """
    first = _seconds(step)
    times: list[float] = []
    while len(times) < min(STEPS, steps - 1) and sum(times) < SECONDS:
        times.append(_seconds(step))
    once = _seconds(evaluate)
    again = _seconds(evaluate) if once < SECONDS else once
    mean = sum(times) / len(times) if times else first
    return Duration(first - mean + once - again, mean, again, max(1, len(times)), together)


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def describe_time(found: Duration, config: Config, few: int) -> str:
    """The time of the parts and of all, for a person.

    `few` networks test on the way, those of the settings at the end.
    """
    times = math.ceil(config.outer_steps / config.eval_every)
    steps = count(config.outer_steps, "outer step", "outer steps")
    tests = count(times, "evaluation", "evaluations")
    rows = [
        ("compiling, at the start", found.start),
        (
            f"{steps} of {found.step:.3g} s, the mean of {found.timed}",
            config.outer_steps * found.step,
        ),
        (
            f"{tests} on the way, each of {count(few, 'network', 'networks')}",
            times * found.of_networks(few),
        ),
        (
            f"the last one, of {count(config.eval_networks, 'network', 'networks')}",
            found.of_networks(config.eval_networks),
        ),
    ]
    width = max(len(name) for name, _ in rows)
    parts = [f"{name:{width}} {minutes(seconds):>9}" for name, seconds in rows]
    total = minutes(sum(seconds for _, seconds in rows))
    return "\n".join(
        [
            *parts,
            f"time: about {total}, if the machine stays as busy as it is now; reading the data and "
            "writing the report come beside it",
        ]
    )
