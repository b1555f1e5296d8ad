"""Times several functions in turn, so that other load on the machine slows all of them alike."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Seconds(NamedTuple):
    """Medians: wall clock, and CPU time of all threads of the process."""

    wall: float
    cpu: float


def interleaved(functions: Sequence[Callable[[], object]], repeats: int) -> list[Seconds]:
    """The medians of each function over `repeats` calls, after one that does not count."""
    for function in functions:
        function()
    seconds = np.array([[_once(function) for function in functions] for _ in range(repeats)])
    return [Seconds(*map(float, row)) for row in np.median(seconds, axis=0)]


def _once(function: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def peak_gflops(multiply: Callable[[], object], size: int, repeats: int = 10) -> float:
    """The best rate of a product of two `[size, size]` matrices that `multiply` computes."""
    multiply()
    return 2e-9 * size**3 / min(_once(multiply)[0] for _ in range(repeats))
