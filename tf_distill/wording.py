"""Numbers in words: the same in figures, in the report and in tables."""


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction as a percentage without its sign; "" for None."""
    return "" if fraction is None else f"{100 * fraction:.{decimals}f}"


def spread(mean: float, std: float, networks: int, decimals: int = 2) -> str:
    """An accuracy in percent, with its standard deviation where several networks had it."""
    deviation = f" ± {percent(std, decimals)}" if networks > 1 else ""
    return percent(mean, decimals) + deviation


def accuracy(mean: float, std: float, networks: int) -> str:
    """A fraction for a terminal: 0.9361, or 0.8210 +- 0.0312 where several networks had it."""
    return f"{mean:.4f}" + (f" +- {std:.4f}" if networks > 1 else "")


def accuracy_over(mean: float, std: float, networks: int) -> str:
    """The same with the number of networks: 0.8210 +- 0.0312 over 20 networks."""
    return accuracy(mean, std, networks) + (f" over {networks} networks" if networks > 1 else "")


def count(number: int, one: str, several: str) -> str:
    """So many things: 1 class, 2 classes."""
    return f"{number} {one if number == 1 else several}"


def minutes(seconds: float | None) -> str:
    """A time: seconds below two minutes, minutes above; "" for None."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def part(shown: int, of: int, what: str) -> str:
    """What a figure or a table leaves out: "the first 10 of 50 steps", or "" where it is whole."""
    return f"the first {shown} of {of} {what}" if shown < of else ""
