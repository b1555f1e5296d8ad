"""Numeric derivatives."""

from collections.abc import Callable, Sequence

import numpy as np


def assert_gradients_close(
    function: Callable[..., float],
    arguments: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    *,
    coordinates: int,
    step: float,
    tolerance: float = 1e-5,
) -> None:
    """Compares gradients with float64 central differences at random coordinates of each argument.

    Args:
        function: of the arguments, gives a number.
        arguments: where to differentiate.
        gradients: to be tested, one for each argument.
        coordinates: how many of each argument at the most.
        step: of the differences; small where a relu or a maximum must not change sides.
        tolerance: of the difference, relative to the largest entry of the gradient.
    """
    rng = np.random.default_rng(0)
    for number, (argument, gradient) in enumerate(zip(arguments, gradients, strict=True)):
        assert gradient.shape == argument.shape
        scale = np.abs(gradient).max()
        assert scale > 0, f"argument {number}: the gradient is zero"
        for index in rng.choice(argument.size, min(coordinates, argument.size), replace=False):
            values = []
            for sign in (1, -1):
                moved = [np.array(a, np.float64) for a in arguments]
                moved[number].flat[index] += sign * step
                values.append(float(function(*moved)))
            numeric = (values[0] - values[1]) / (2 * step)
            analytic = gradient.flat[index]
            assert abs(numeric - analytic) <= tolerance * scale, (
                f"argument {number}, coordinate {index}: analytic {analytic}, numeric {numeric}"
            )
