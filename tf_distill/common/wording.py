"""Numbers in words: the same in figures, in the report and in tables."""

from collections.abc import Mapping, Sequence
from typing import Any

OWN = "python:"
"""Begins the name of a network that is a function of a user, not one of the registry."""


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction as a percentage without its sign; "" for None."""
    return "" if fraction is None else f"{100 * fraction:.{decimals}f}"


def spread(mean: float, std: float, networks: int, decimals: int = 2) -> str:
    """An accuracy in percent, with its standard deviation where several networks had it."""
    deviation = f" ± {percent(std, decimals)}" if networks > 1 else ""
    return percent(mean, decimals) + deviation


def accuracy_words(mean: float, std: float, networks: int) -> str:
    """A fraction for a terminal: 0.9361, or 0.8210 +- 0.0312 where several networks had it."""
    return f"{mean:.4f}" + (f" +- {std:.4f}" if networks > 1 else "")


def accuracy_over(mean: float, std: float, networks: int) -> str:
    """The same with the number of networks: 0.8210 +- 0.0312 over 20 networks."""
    return accuracy_words(mean, std, networks) + (
        f" over {networks} networks" if networks > 1 else ""
    )


def count(number: int, one: str, several: str) -> str:
    """So many things: 1 class, 2 classes."""
    return f"{number} {one if number == 1 else several}"


def minutes(seconds: float | None) -> str:
    """A time: seconds below two minutes, minutes above; "" for None."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def full_training(original: Mapping[str, Any]) -> str:
    """How a network was trained for the original accuracy; "" where the file does not say."""
    if not (settings := original.get("settings")):
        return ""
    told = [f"Adam from {settings['lr']:g}", f"batches of {settings['batch_size']}"]
    if "epochs" in original:
        told.append(f"{original['epochs']:g} epochs")
    for name in ("dropout", "weight_decay"):
        if rate := settings.get(name):
            told.append(f"{name.replace('_', ' ')} {rate:g}")
    return ", ".join(told)


def output_names(classes: Sequence[str], outputs: int) -> list[str]:
    """What stands before each value of a label: its class; of two classes with one value, both."""
    if outputs == len(classes):
        return list(classes)
    return [f"0 = {classes[0]}, 1 = {classes[1]}:"]


def network_name(name: str | None) -> str:
    """A network's name: of a user's own, that of the function."""
    return (name or "").removeprefix(OWN)


def shown_part(shown: int, of: int, what: str) -> str:
    """What a figure or a table leaves out: "the first 10 of 50 steps", or "" where it is whole."""
    return f"the first {shown} of {of} {what}" if shown < of else ""


def size_of_set(x: Sequence[int], rates: int) -> str:
    """How large a distilled set is, by the shape of its x and the number of its rates."""
    steps, n, *shape = x
    return (
        f"{count(steps * n, 'sample', 'samples')} of {tuple(shape)} in "
        f"{count(steps, 'step', 'steps')}, {count(rates // steps, 'epoch', 'epochs')}"
    )
