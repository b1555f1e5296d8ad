"""Numbers in words: the same in figures, in the report and in tables."""

from collections.abc import Sequence


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction as a percentage without its sign; "" for None."""
    return "" if fraction is None else f"{100 * fraction:.{decimals}f}"


def spread(mean: float, std: float, networks: int, decimals: int = 2) -> str:
    """An accuracy in percent, with its standard deviation where several networks had it."""
    deviation = f" ± {percent(std, decimals)}" if networks > 1 else ""
    return percent(mean, decimals) + deviation


def minutes(seconds: float | None) -> str:
    """A time: seconds below two minutes, minutes above; "" for None."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def part(shown: int, of: int, what: str) -> str:
    """What a figure or a table leaves out: "the first 10 of 50 steps", or "" where it is whole."""
    return f"the first {shown} of {of} {what}" if shown < of else ""


def size_of_set(x: Sequence[int], rates: int) -> str:
    """How large a distilled set is, by the shape of its x and the number of its rates."""
    steps, n, *shape = x
    epochs = rates // steps
    return (
        f"{steps * n} samples of {tuple(shape)} in {steps} step{'s' * (steps != 1)}, {epochs} "
        f"epoch{'s' * (epochs != 1)}"
    )
