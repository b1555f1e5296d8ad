"""Does a distilled set give its stored accuracy here? It is trained on as its card says."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tf_distill import config
from tf_distill.common import (
    UserError,
    accuracy_over,
    brief,
    is_own_network,
    network_name,
    read_checked,
)
from tf_distill.core import Accuracy, Learner, Weights, evaluator, test_networks
from tf_distill.datasets import (
    DATASETS,
    READING,
    Dataset,
    TableEncoding,
    TextEncoding,
    hold_out,
    is_own,
)
from tf_distill.datasets import load as load_data
from tf_distill.export import LoadedSet, digest, load, word_vectors
from tf_distill.networks import Model, choose

NETWORKS = 5
"""Networks to measure with: the first of those that the stored accuracy is the mean of."""
HALF_POINT, ROUNDING = 0.005, 1e-9
DATA = ("data_dir", "embeddings", *READING)
"""Settings that say where the data of a name are, and how they are read."""


class Verification(NamedTuple):
    """The accuracy of a set, or its R2, stored and measured.

    stored: what its card says; None if the set has none, such as a merged one. measured: here.
    test_examples: on so many.
    """

    stored: Accuracy | None
    measured: Accuracy
    test_examples: int

    @property
    def tolerance(self) -> float:
        """Half a point, twice the spread of the stored networks, or one test example."""
        spread = self.stored.std if self.stored else 0.0
        return max(HALF_POINT, 2 * spread, 1 / self.test_examples)

    @property
    def holds(self) -> bool:
        """Whether both are equal within the tolerance."""
        if not self.stored:
            return True
        return abs(self.stored.mean - self.measured.mean) <= self.tolerance + ROUNDING

    def __str__(self) -> str:
        """Both in a line each, and what follows."""
        told = f"measured {accuracy_over(*self.measured)}, on {self.test_examples} test examples"
        if not self.stored:
            return f"{told}\nthe card has no accuracy to compare with"
        equal = "equal" if self.holds else "not equal"
        return (
            f"stored   {accuracy_over(*self.stored)}\n{told}\n"
            f"they are {equal} within {self.tolerance:.4f}"
        )


def verify(
    path: str | Path,
    data: Dataset | None = None,
    *,
    model: Model | None = None,
    networks: int = NETWORKS,
) -> Verification:
    """Checks a distilled set, trains networks on it as its card says, and tests them.

    Args:
        path: the folder of the set, or of a run or an export. Each array and each part of the
            card that decides the training is checked against its SHA-256.
        data: to test on; by default the dataset that the card names. Its inputs are encoded by
            the set's own preprocessing.
        model: makes the network, where it is one of your own; by default the card's.
        networks: random networks to train, at most those of the stored accuracy: others have
            another mean. Of a set for one fixed network there is only one.

    Returns:
        The stored and the measured accuracy; `holds` says whether they are equal.

    Raises:
        UserError: the set is damaged or has been changed, with the name of the array or part; or
            the data are not there, or of other classes or inputs.
    """
    loaded = load(path)
    return verify_set(loaded, data or named_data(loaded, path, {}), model, networks)


def verify_set(
    loaded: LoadedSet, data: Dataset, model: Model | None = None, networks: int = NETWORKS
) -> Verification:
    """The same of a loaded set."""
    networks = config.checked_number("networks", networks, "networks")
    stored = loaded.metadata.get("accuracy")
    before = stored and Accuracy(stored["mean"], stored.get("std", 0), stored.get("networks", 1))
    if before:
        networks = min(networks, before.networks)
    if loaded.metadata.get("eval_split") == "held_out":
        data = hold_out(data, seed_of(loaded))
    dataset = encoded(loaded, data)
    learner, many = networks_of(loaded, dataset, model, networks)
    measured = evaluator(learner, dataset, loaded.recipe)(loaded.samples, many).accuracy
    return Verification(before, measured, len(dataset.y_test))


def networks_of(
    loaded: LoadedSet, dataset: Dataset, model: Model | None, networks: int
) -> tuple[Learner, Iterable[Weights]]:
    """The network of a set, and the initial weights of those that test it.

    Args:
        loaded: the set.
        dataset: in its encoding.
        model: makes the network; by default that of the card.
        networks: so many random ones; a set for one fixed network has only this.

    Raises:
        UserError: the network is one of the user's own and not given, or does not fit the set.
    """
    name = loaded.metadata["network"]
    if model is None and is_own_network(name):  # a card from elsewhere imports nothing
        raise UserError(
            f"the set was distilled for a network of your own, {network_name(name)}; in Python, "
            "give the function that makes it as model=..."
        )
    frozen = [np.asarray(weight) for weight in loaded.frozen_weights]
    learner = choose(model or name, dataset).learner(frozen)
    start = loaded.initial_weights
    if start and [tuple(w.shape) for w in start] != learner.shapes:
        raise UserError(
            f"the set was distilled for one fixed initial {network_name(name)}, and the weights "
            "of this network have other shapes; use that network"
        )
    fresh = test_networks(learner, "random", networks, seed_of(loaded))
    return learner, [start] if start else fresh


def seed_of(loaded: LoadedSet) -> int:
    """The seed of the run that made a set."""
    return config.checked_number("seed", loaded.metadata["seed"], "seed of the set")


def named_data(loaded: LoadedSet, path: str | Path, given: Mapping[str, Any]) -> Dataset:
    """The dataset that a set names, or the `dataset` that is given.

    Settings that are not given are those of the run, where `path` is its folder or the set's in it;
    but a data_dir that is not here is that of another machine. Texts take the words and vectors of
    the set.

    Raises:
        UserError: there is no such dataset.
    """
    folder = Path(path).expanduser().resolve()
    within = folder.parts[-2:] in (("set", "1"), ("distilled", "1"))
    run = read_checked((folder.parents[1] if within else folder) / "config.json")
    usual = {**dict.fromkeys(DATA), "data_dir": config.data_dir()}
    settings = {**usual, "dataset": loaded.metadata["dataset"]}
    if "data_dir" in run and not Path(run["data_dir"]).expanduser().is_dir():
        del run["data_dir"]
    settings |= {"task": "regression"} if loaded.target else {}
    settings |= {name: run[name] for name in settings if name in run}
    settings |= {name: v for name, v in given.items() if name in settings and v is not None}
    name = settings["dataset"]
    if name not in DATASETS and not is_own(name) and name == loaded.metadata["dataset"]:
        raise UserError(
            f"the set is of {name!r}, data that only Python has; name the data as dataset=csv:FILE "
            "or the like, or give the dataset in Python, as data=..."
        )
    own = loaded.encoding
    return load_data(settings | {"embeddings": own} if isinstance(own, TextEncoding) else settings)


def encoded(loaded: LoadedSet, data: Dataset) -> Dataset:
    """The data with the test split, and the encoding, as the set's own preprocessing has them.

    Classes in another order are numbered as in the set.

    Raises:
        UserError: the data have other classes or inputs.
    """
    metadata, own = loaded.metadata, loaded.encoding
    described, data = metadata["input"], _numbered_as(data, tuple(metadata["classes"]))
    if (own_name := loaded.target and loaded.target.name) != (data.target and data.target.name):
        raise UserError(
            f"the set has the target {brief(own_name)}, but {data.name} has "
            f"{brief(data.target and data.target.name)}; give the data of the set"
        )
    data = dataclasses.replace(data, target=loaded.target)
    if isinstance(own, TextEncoding) and data.raw_test is not None:  # in the set's own words
        return dataclasses.replace(data, x_test=own.number(data.raw_test), encoding=own)
    given = json.loads(json.dumps(data.encoding.metadata()))
    if own is None and given["kind"] == described["kind"] == "text":
        given["vectors"] = digest(word_vectors(data.encoding))
        if any(given.get(name) != value for name, value in described.items()):
            raise UserError(
                f"the word vectors of {data.name} are not those of the set; put the set's "
                "vectors.npz back into its folder, or give the data of the set, and as embeddings "
                "the file of its vectors"
            )
        return data
    by_numbers = own is not None and not isinstance(own, TextEncoding)
    alike = ("kind", "shape") if by_numbers else [*given]
    if other := [name for name in alike if given.get(name) != described.get(name)]:
        raise UserError(
            f"the inputs of {data.name} have another {other[0]} than those of the set: "
            f"{brief(given.get(other[0]))}, expected {brief(described.get(other[0]))}; give the "
            "data of the set"
        )
    if isinstance(own, TableEncoding) and not own.stores_as(data.encoding):
        raise UserError(
            f"{data.name} has other columns or categories than the set; give the data of the set"
        )
    return dataclasses.replace(data, encoding=own) if own else data


def _numbered_as(data: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The data with their classes in this order."""
    if classes == data.classes:
        return data
    if sorted(classes) != sorted(data.classes):
        raise UserError(
            f"the set has the classes {brief([*classes])}, but {data.name} has "
            f"{brief([*data.classes])}; give the data of the set"
        )
    places = np.array([classes.index(name) for name in data.classes], np.int32)
    y_train, y_test = places[data.y_train], places[data.y_test]
    return dataclasses.replace(data, classes=classes, y_train=y_train, y_test=y_test)
