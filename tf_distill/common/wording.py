"""Numbers in words, for figures, reports, tables and the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

OWN = "python:"
"""Begins the name of a user's own network, which the registry does not have."""


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction as a percentage without its sign; "" for None."""
    return "" if fraction is None else f"{100 * fraction:.{decimals}f}"


def spread(mean: float, std: float, networks: int, decimals: int = 2) -> str:
    """An accuracy in percent, with its standard deviation for several networks."""
    deviation = f" ± {percent(std, decimals)}" if networks > 1 else ""
    return percent(mean, decimals) + deviation


def accuracy_words(mean: float, std: float, networks: int) -> str:
    """A fraction for a terminal: 0.9361, or 0.8210 +- 0.0312 for several networks."""
    return f"{mean:.4f}" + (f" +- {std:.4f}" if networks > 1 else "")


def accuracy_over(mean: float, std: float, networks: int) -> str:
    """An accuracy with the number of networks: 0.8210 +- 0.0312 over 20 networks."""
    over = f" over {networks} networks" if networks > 1 else ""
    return accuracy_words(mean, std, networks) + over


def measure_of(target: object) -> str:
    """What networks are measured by: the accuracy or, where there is a quantity, R2."""
    return "R2" if target else "accuracy"


def spread_words(mean: float, std: float, networks: int) -> str:
    """A number in any unit, with its standard deviation for several networks."""
    return f"{mean:.4g}" + (f" +- {std:.2g}" if networks > 1 else "")


def count(number: int, one: str, several: str) -> str:
    """A number and its noun: 1 class, 2 classes."""
    return f"{number} {one if number == 1 else several}"


def minutes(seconds: float | None) -> str:
    """A time: seconds below two minutes, minutes above; "" for None."""
    if seconds is None:
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def full_training(original: Mapping[str, Any]) -> str:
    """How a network was trained on all data, in words; "" if the file does not say."""
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
    """The name of each value of a label: its class, or "0 = no, 1 = yes:" for a binary task."""
    if outputs == len(classes):
        return list(classes)
    return [f"0 = {classes[0]}, 1 = {classes[1]}:"]


def is_own_network(name: str) -> bool:
    """Whether a network is a user's own: `python:NAME`, or module:function to import."""
    return ":" in name


def network_name(name: str | None) -> str:
    """A network's name for people: without the prefix of a user's own network."""
    return (name or "").removeprefix(OWN)


def shown_part(shown: int, of: int, what: str) -> str:
    """Tells that only a part is shown: "the first 10 of 50 steps"; "" if all is."""
    return f"the first {shown} of {of} {what}" if shown < of else ""


def size_of_set(x: Sequence[int], rates: int) -> str:
    """The size of a set in words, by its inputs' shape `[steps, samples, ...]` and its rates."""
    steps, n, *shape = x
    return (
        f"{count(steps * n, 'sample', 'samples')} of {tuple(shape)} in "
        f"{count(steps, 'step', 'steps')}, {count(rates // steps, 'epoch', 'epochs')}"
    )
