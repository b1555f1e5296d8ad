"""Several distilled sets as one, for ordinary training: there the order does not matter."""

import datetime
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, __version__, brief
from tf_distill.core import Samples, recipe_words
from tf_distill.export.distilled_set import BY_NUMBERS, MOMENTS, LoadedSet
from tf_distill.export.set_folder import digest

ALIKE = ("inner_optimizer", "augment")
"""What must be the same in all sets: how networks are trained on them."""
OF_ONE = ("accuracy", "rmse", "eval_split", "test_examples", "sentences", "format", "license")
"""Metadata of one set that say nothing of several."""


def merge(sets: Sequence[LoadedSet]) -> LoadedSet:
    """One set for ordinary training from several, for instance of several tasks or owners of data.

    The sets have the same classes or the same target, or each has classes of its own; then the
    merged set has all of them, in the order of the sets. Images and numbers that were normalised
    otherwise take the normalisation of the first set.

    Args:
        sets: of use=training, with samples of the same shape.

    Returns:
        The set. Its network is that of the first. It has no accuracy: nobody has measured it. Its
        `metadata["sources"]` tell what it was made of.

    Raises:
        UserError: a set is for replay, some classes are shared and others not, or the sets differ
            in their target, shape, words, optimizer, augmentation or frozen weights.
    """
    if (
        not isinstance(sets, Sequence)
        or not sets
        or not all(isinstance(one, LoadedSet) for one in sets)
    ):
        raise UserError(
            "merge needs a list of distilled sets, such as tf_distill.load_distilled gives"
        )
    first = sets[0]
    for i, one in enumerate(sets):
        _check_like(first, one, f"sets[{i}]")
    classes = _all_classes(sets)
    parts = [one.arrays() for one in sets]
    x = np.concatenate(
        [_normalised(one, part[0], first) for one, part in zip(sets, parts, strict=True)]
    )
    y = np.concatenate(
        [_labels(one, part[1], classes, first) for one, part in zip(sets, parts, strict=True)]
    )
    n = _batch(len(x), max(one.samples.x.shape[1] for one in sets))
    epochs = max(len(one.samples.lr) // len(one.samples.x) for one in sets)
    rate = float(np.mean([one.samples.lr[0] for one in sets]))
    samples = Samples(
        tf.constant(x.reshape(-1, n, *x.shape[1:])),
        tf.constant(y.reshape(-1, n, y.shape[-1])),
        tf.fill([epochs * (len(x) // n)], np.float32(rate)),
    )
    metadata = {name: v for name, v in first.metadata.items() if name not in OF_ONE}
    if classes != [*first.metadata["classes"]]:
        metadata.pop("layers", None)  # of other outputs
    for name in ("layers", "sample_scale"):
        if any(one.metadata.get(name) != first.metadata.get(name) for one in sets):
            metadata.pop(name, None)
    metadata |= {
        "dataset": " + ".join(dict.fromkeys(one.metadata["dataset"] for one in sets)),
        "classes": classes,
        "steps": len(x) // n,
        "epochs": epochs,
        "date": f"{datetime.date.today()}",
        "versions": {"tf_distill": __version__},
        "recipe": recipe_words(first.metadata, samples),
        "sources": [_source(one) for one in sets],
        **_license(sets),
    }
    build = first.build if classes == [*first.metadata["classes"]] else None  # of as many outputs
    return LoadedSet(samples, [], metadata, build, first.frozen_weights, first.vectors)


def _check_like(first: LoadedSet, one: LoadedSet, name: str) -> None:
    """Raises UserError for a set that can't be merged with the first."""
    if one.metadata.get("use") != "training":
        raise UserError(
            f"{name} is for replay, where each step has its place; merge sets of use=training"
        )
    shapes = [tuple(s.samples.x.shape[2:]) for s in (first, one)]
    if shapes[0] != shapes[1]:
        raise UserError(f"{name} has samples of {shapes[1]}, but sets[0] has {shapes[0]}")
    for setting in ALIKE:
        values = [s.metadata.get(setting) for s in (first, one)]
        if values[0] != values[1]:
            raise UserError(f"{name} has {setting}={values[1]}, but sets[0] has {values[0]}")
    targets = [s.target and s.target.name for s in (first, one)]
    if targets[0] != targets[1]:
        told = [f"the target {brief(t)}" if t else "classes" for t in targets]
        raise UserError(f"{name} has {told[1]}, but sets[0] has {told[0]}")
    if _inputs(first) != _inputs(one):
        raise UserError(
            f"{name} has inputs of another kind, or other words or vectors of these, than sets[0]; "
            "distill all of them with the same"
        )
    frozen = [[np.asarray(w) for w in s.frozen_weights] for s in (first, one)]
    if len(frozen[0]) != len(frozen[1]) or not all(map(np.array_equal, *frozen)):
        raise UserError(f"{name} has other frozen weights than sets[0]")


def _inputs(one: LoadedSet) -> dict[str, Any]:
    """What inputs must have in common: all but the normalisation of numbers."""
    described = _plain(one.metadata["input"])
    if described["kind"] in BY_NUMBERS:
        return {name: v for name, v in described.items() if name not in MOMENTS}
    return described if one.vectors is None else described | {"vectors": digest(one.vectors)}


def _all_classes(sets: Sequence[LoadedSet]) -> list[str]:
    """The classes of all sets, which have the same or each its own."""
    named = [tuple(one.metadata["classes"]) for one in sets]
    if len(set(named)) == 1:
        return [*named[0]]
    classes = [name for names in dict.fromkeys(named) for name in names]
    if shared := sorted({name for name in classes if classes.count(name) > 1}):
        raise UserError(
            f"the sets share the classes {brief(shared)}, and other classes differ; merge sets of "
            "the same classes in the same order, or of classes that none share"
        )
    return classes


def _normalised(one: LoadedSet, x: np.ndarray, first: LoadedSet) -> np.ndarray:
    """Samples in the normalisation of the first set."""
    before, after = (s.metadata["input"] for s in (one, first))
    if before["kind"] not in BY_NUMBERS or _plain(before) == _plain(after):
        return x
    mean, std, new_mean, new_std = (
        np.asarray(described[name], np.float32) for described in (before, after) for name in MOMENTS
    )
    return (x * std + mean - new_mean) / new_std


def _labels(one: LoadedSet, y: np.ndarray, classes: list[str], first: LoadedSet) -> np.ndarray:
    """Labels `[M, own outputs]` as those of all classes, or in the first set's scale."""
    if one.target:
        return np.asarray(first.task.encode(one.quantities()))
    own = one.metadata["classes"]
    if [*own] == classes:
        return y
    wide = np.zeros((len(y), len(classes)), np.float32)
    wide[:, [classes.index(name) for name in own]] = one.label_distributions()
    return wide


def _batch(total: int, wanted: int) -> int:
    """The divisor of a total that is nearest to the wanted minibatch, by their ratio."""
    divisors = (n for n in range(1, total + 1) if total % n == 0)
    return min(divisors, key=lambda n: max(n / wanted, wanted / n))


def _source(one: LoadedSet) -> dict[str, Any]:
    """What the merged set says of one that it was made of."""
    kept = ("dataset", "network", "classes", "seed", "accuracy", "date", "license")
    described = {name: one.metadata[name] for name in kept if name in one.metadata}
    described["samples"] = int(np.prod(one.samples.x.shape[:2]))
    return _plain({**described, "sha256": digest(np.asarray(one.samples.x))})


def _license(sets: Sequence[LoadedSet]) -> dict[str, str]:
    """The licences of all data, if all are known; what is unknown is not said."""
    named = [one.metadata.get("license") for one in sets]
    known = sorted({part for name in named if name for part in name.split(" AND ")})
    return {"license": " AND ".join(known)} if all(named) else {}


def _plain(described: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(described))
