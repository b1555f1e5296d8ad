"""What a distilled set tells of the examples that it was made of: near copies, and membership.

It finds leaks of two kinds. That it finds none does not show that there are none (docs/privacy.md).
"""

import base64
import dataclasses
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image
from scipy.stats import rankdata

from tf_distill import config
from tf_distill.common import (
    ELSEWHERE,
    Stream,
    count,
    folder_lock,
    numpy_generator,
    write_json,
    writing_to,
)
from tf_distill.core import (
    EMBED_BATCH,
    Learner,
    Weights,
    compiled,
    compiled_train,
    embed,
    task_of,
)
from tf_distill.datasets import Dataset, TextEncoding, hold_out
from tf_distill.evaluation.verification import encoded, named_data, networks_of, seed_of
from tf_distill.export import LoadedSet, load
from tf_distill.networks import Model
from tf_distill.report import report

NAME = "audit.json"
NETWORKS = 5
"""Networks that are trained on the set and attacked."""
COPY = 0.1
"""A sample is as good as a training example at this share of the usual distance to one."""
UNSEEN = 500
"""Test examples, at most, that tell the usual distance."""
ATTACKED = 5000
"""Training examples, and others, at most, that the attack has to tell apart."""
ERRORS_95 = 1.96
"""Standard errors around a normal mean that hold 95 percent."""
SHOWN = 20
"""Samples, at most, that a report shows beside a training example: those nearest to one."""


class Attack(NamedTuple):
    """How well the loss of a network tells training examples from others.

    auc: the chance that a training example has a lower loss than another; low, high: its confidence
    interval of 95 percent (DeLong). members: training examples. others: examples of the split that
    the set was tested on. networks: trained on the set; a loss is the mean over them.
    """

    auc: float
    low: float
    high: float
    members: int
    others: int
    networks: int


class Audit(NamedTuple):
    """What a set tells of the examples that it was made of.

    nearest: the place of the training example nearest to each sample, integers `[M]`; samples are
    in the order of `LoadedSet.arrays`. distances: to it `[M]`, Euclidean, of inputs as the network
    sees them. usual: the median of this distance for test examples. attack: on membership.
    """

    nearest: np.ndarray
    distances: np.ndarray
    usual: float
    attack: Attack

    @property
    def copies(self) -> list[int]:
        """The samples that are training examples, or nearly."""
        return np.flatnonzero(self.distances <= COPY * self.usual).tolist()

    def __str__(self) -> str:
        """A line for each of both, and a warning for what leaks."""
        attack, i = self.attack, int(self.distances.argmin())
        lines = [
            f"distance to the nearest training example: samples have a median of "
            f"{np.median(self.distances):.3g}, test examples of {self.usual:.3g}; the least is "
            f"{self.distances[i]:.3g}, of sample {i} to training example {self.nearest[i]}"
        ]
        if copies := self.copies:
            named = ", ".join(map(str, copies[:10])) + (", ..." if len(copies) > 10 else "")
            lines.append(
                f"warning: {len(copies)} of {count(len(self.distances), 'sample', 'samples')} as "
                f"good as training examples, within {COPY:.0%} of the distance of test examples: "
                f"{named}"
            )
        lines.append(
            f"membership attack by the loss: AUC {attack.auc:.4f}, with 95 % confidence "
            f"{attack.low:.4f} to {attack.high:.4f} (chance is 0.5), on {attack.members} training "
            f"and {attack.others} other examples, {count(attack.networks, 'network', 'networks')}"
        )
        if attack.low > 0.5:
            lines.append("warning: the loss is lower on training examples than on others")
        return "\n".join(lines)


def audit(
    path: str | Path,
    data: Dataset | None = None,
    *,
    model: Model | None = None,
    networks: int = NETWORKS,
) -> Audit:
    """Looks for training examples in a distilled set, and attacks networks trained on it.

    Args:
        path: the folder of the set, or of a run or an export. A run's folder then has audit.json,
            and its report shows the samples beside training examples.
        data: that the set was made of; by default the dataset that the card names.
        model: makes the network, where it is one of your own; by default the card's.
        networks: random networks to attack; of a set for one fixed network there is only one.

    Returns:
        The distances to training examples and the attack; `print` says what they mean.

    Raises:
        UserError: the set is damaged; the data are not there, or of other classes or inputs; or
            the run's folder can't be written.
    """
    loaded = load(path)
    dataset = encoded_whole(loaded, data or named_data(loaded, path, {}))
    found = audit_set(loaded, dataset, model, networks)
    keep(found, loaded, dataset, path)
    return found


def encoded_whole(loaded: LoadedSet, data: Dataset) -> Dataset:
    """Both splits of the data in the encoding of the set.

    Raises:
        UserError: the data have other classes or inputs.
    """
    dataset, own = encoded(loaded, data), loaded.encoding
    if isinstance(own, TextEncoding) and data.raw_train is not None:
        return dataclasses.replace(dataset, x_train=own.number(data.raw_train))
    return dataset


def learned_from(loaded: LoadedSet, dataset: Dataset) -> Dataset:
    """The dataset as the run of a set had it.

    Its training split lacks what was held out. Its test split is that of the evaluation, which is a
    part of the real training split with eval_split=held_out.
    """
    seed, metadata = seed_of(loaded), loaded.metadata
    tested = hold_out(dataset, seed) if metadata.get("eval_split") == "held_out" else dataset
    if metadata.get("keep") != "best":
        return tested
    near = hold_out(tested, seed)
    return dataclasses.replace(tested, x_train=near.x_train, y_train=near.y_train)


def audit_set(
    loaded: LoadedSet, dataset: Dataset, model: Model | None = None, networks: int = NETWORKS
) -> Audit:
    """The same of a loaded set, with the data in its encoding; nothing is written."""
    networks = config.checked_number("networks", networks, "networks")
    learner, many = networks_of(loaded, dataset, model, networks)
    unseen = draw(loaded, len(dataset.y_test), UNSEEN)
    x = np.concatenate([loaded.unscaled(), dataset.encoding(tf.constant(dataset.x_test[unseen]))])
    places, distances = nearest(dataset, x)
    own = len(x) - len(unseen)
    usual = float(np.median(distances[own:]))
    return Audit(places[:own], distances[:own], usual, attack(loaded, dataset, learner, many))


def draw(loaded: LoadedSet, examples: int, most: int) -> np.ndarray:
    """The places of random examples, of so many and at most `most`, by the set's seed."""
    return numpy_generator(seed_of(loaded), Stream.AUDIT).permutation(examples)[:most]


def nearest(dataset: Dataset, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training example nearest to each of some inputs.

    Args:
        dataset: whose training split is searched, as the network sees it.
        x: inputs of a network, float32 `[N, *shape]`.

    Returns:
        The places of the examples `[N]`, and the Euclidean distances to them `[N]`.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    x = x.reshape(len(x), -1)
    places, least = np.zeros(len(x), np.int64), np.full(len(x), np.inf)
    for part in parts(len(dataset.y_train)):  # as vectors, all texts would not fit in memory
        found, distances = pairwise_distances_argmin_min(x, rows(dataset, part))
        nearer = distances < least
        places[nearer], least[nearer] = part[found[nearer]], distances[nearer]
    # scalar products, by which it searches, are not exact near zero, where copies are
    exact = [np.linalg.norm(x[i] - rows(dataset, places[i]), axis=1) for i in parts(len(x))]
    return places, np.concatenate(exact)


def parts(examples: int) -> list[np.ndarray]:
    """The places of so many examples, some at a time."""
    return np.split(np.arange(examples), range(EMBED_BATCH, examples, EMBED_BATCH))


def rows(dataset: Dataset, places: np.ndarray) -> np.ndarray:
    """Training examples as the network sees them, each in a row."""
    return embed(dataset, places).reshape(len(places), -1)


def attack(
    loaded: LoadedSet, dataset: Dataset, learner: Learner, many: Iterable[Weights]
) -> Attack:
    """Trains networks on a set, and tells training examples from others by their losses.

    Args:
        loaded: the set.
        dataset: in its encoding.
        learner: the network.
        many: the initial weights of each.
    """
    fit, task = compiled_train(learner, loaded.recipe), task_of(dataset)
    loss = compiled(
        lambda x, y, weights: task.losses(
            task.encode(y), learner.apply(weights, dataset.encoding(x))
        )
    )
    trained = [fit(loaded.samples, weights, order) for order, weights in enumerate(many)]

    def losses(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        drawn = draw(loaded, len(y), ATTACKED)
        x, y = x[drawn], y[drawn]
        each = [[loss(x[i], y[i], weights) for i in parts(len(y))] for weights in trained]
        return np.mean([np.concatenate(one) for one in each], axis=0)

    seen = learned_from(loaded, dataset)
    members, others = losses(seen.x_train, seen.y_train), losses(seen.x_test, seen.y_test)
    return Attack(*auc(-members, -others), len(members), len(others), len(trained))


def auc(members: np.ndarray, others: np.ndarray) -> tuple[float, float, float]:
    """The area under the ROC curve of scores `[m]` and `[n]`, and the ends of its interval.

    It is the chance that a member has the higher score, ties counting half; the interval of 95
    percent is that of DeLong, DeLong and Clarke-Pearson (1988).
    """
    together = rankdata(np.concatenate([members, others]))
    above = (together[: len(members)] - rankdata(members)) / len(others)
    below = 1 - (together[len(members) :] - rankdata(others)) / len(members)
    area = above.mean()
    error = np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    low, high = np.clip([area - ERRORS_95 * error, area + ERRORS_95 * error], 0, 1)
    return float(area), float(low), float(high)


def keep(found: Audit, loaded: LoadedSet, dataset: Dataset, path: str | Path) -> Path | None:
    """Writes audit.json into the folder of a finished run, and gives its report.

    None if the folder is not that of a run.
    """
    folder = Path(path).expanduser()
    if not (folder / "results.json").exists():
        return None
    with writing_to(folder, ELSEWHERE), folder_lock(folder):
        write_json(folder / NAME, described(found, loaded, dataset))
        return report.write(folder)


def described(found: Audit, loaded: LoadedSet, dataset: Dataset) -> dict[str, Any]:
    """The content of audit.json."""
    shown = np.argsort(found.distances, kind="stable")[:SHOWN].tolist()
    return {
        "lines": str(found).splitlines(),
        "usual": found.usual,
        "distances": found.distances.tolist(),
        "nearest": found.nearest.tolist(),
        "attack": found.attack._asdict(),
        "shown": [
            {"sample": i, **to_look_at(loaded.unscaled()[i], dataset, found.nearest[i])}
            for i in shown
        ],
    }


def to_look_at(sample: np.ndarray, dataset: Dataset, place: int) -> dict[str, str]:
    """A training example for a person: its class or quantity, and a PNG as base64 or its words.

    For a text, also the words nearest to the vectors of the sample.
    """
    x, encoding = dataset.x_train[place], dataset.encoding
    label, target = dataset.y_train[place], dataset.target
    shown = {"class": target.written(label) if target else dataset.classes[label]}
    if isinstance(encoding, TextEncoding):
        raw = dataset.raw_train
        real = (
            encoding.decode(encoding(x).numpy())
            if raw is None
            else [raw[place].decode(errors="replace")]
        )
        return shown | {"words": " ".join(encoding.decode(sample)), "text": " ".join(real)}
    if x.dtype == np.uint8 and x.ndim == 3 and x.shape[-1] in (1, 3):
        file = io.BytesIO()
        Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x).save(file, "png")
        shown["picture"] = base64.b64encode(file.getvalue()).decode()
    return shown
