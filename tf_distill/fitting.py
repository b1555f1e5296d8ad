"""Which networks of the registry take the inputs of a dataset."""

from tf_distill.datasets.base import Dataset
from tf_distill.defaults import network_of
from tf_distill.errors import UserError
from tf_distill.models import NETWORKS

AXES = {"image": 3, "text": 2}
"""Of one embedded input: height, width and channels; words and numbers a word."""
REMEDY = "give a function that makes a Keras model for these"


def names(dataset: Dataset) -> list[str]:
    """The names of all that do."""
    return [name for name in NETWORKS if _takes(name, dataset)]


def check(name: str, dataset: Dataset, what: str) -> None:
    """Checks that a network takes a dataset's inputs.

    Args:
        name: of the network.
        dataset: of any shape.
        what: what errors call the network.

    Raises:
        UserError: it does not; or there is none of that name.
    """
    network = network_of(name, NETWORKS, dataset.name, dataset.encoding.metadata().get("kind"))
    shape = dataset.encoding.shape
    if len(shape) != AXES[network.kind]:
        pixels = len(shape) == 2 and network.kind == "image"
        hint = (
            "if these are pixels of 0 to 255 make them uint8, if they are pixels of 0 to 1 give "
            "them a last axis of 1, else "
        )
        raise UserError(
            f"{what} takes {network.kind}s, but {dataset.name} has inputs of shape "
            f"{shape}; {hint if pixels else ''}{REMEDY}"
        )
    if network.kind == "image" and min(shape[:2]) < network.least:
        raise UserError(
            f"{what} takes images of at least {network.least}x{network.least} pixels, but "
            f"{dataset.name} has {shape[0]}x{shape[1]}; enlarge them, or {REMEDY}"
        )
    if network.kind == "text" and shape[0] < network.least:
        raise UserError(
            f"{what} takes texts of at least {network.least} words, but {dataset.name} has "
            f"{shape[0]}; pad them, or {REMEDY}"
        )


def _takes(name: str, dataset: Dataset) -> bool:
    try:
        check(name, dataset, name)
    except UserError:
        return False
    return True
