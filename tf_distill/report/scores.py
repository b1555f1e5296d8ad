"""The two scores of DD-Ranking (Li et al., arXiv 2505.13300), of accuracies as fractions.

Both are `(e^a - 1/e) / (e - 1/e)`, which takes a weighted sum of differences of accuracies, from
-1 to 1, to a score from 0 to 1. For that the accuracies must be fractions. The package
`ddranking` 0.2.0 has the same arithmetic, but hands it percentages.
"""

import math
from collections.abc import Mapping

WEIGHT = 0.5
"""Of both scores' first parts, as on DD-Ranking's leaderboard."""


def label_robust_score(
    full: float, hard: float, own: float, random: float, weight: float = WEIGHT
) -> float:
    """LRS: how good a set is, whatever its labels add.

    Args:
        full: accuracy after training on all real data, with their own labels.
        hard: of the set with hard labels.
        own: of the set with its own labels.
        random: of random real examples with labels of the same kind. DD-Ranking asks a teacher
            for them; here they are learned.
        weight: of the improvement over random, `own - random`; the hard label recovery,
            `full - hard`, has the rest, with a minus.
    """
    return _score(weight * (own - random) - (1 - weight) * (full - hard))


def augmentation_robust_score(
    changed: float,
    random_changed: float,
    plain: float,
    random_plain: float,
    weight: float = WEIGHT,
) -> float:
    """ARS: how much better a set is than random real examples, with and without augmentation.

    Args:
        changed: accuracy of the set, its samples changed at random in training.
        random_changed: of random real examples, likewise; here they have their classes as labels.
        plain: of the set, its samples left as they are.
        random_plain: of random real examples, likewise.
        weight: of the lead with augmentation; that without has the rest.
    """
    return _score(weight * (changed - random_changed) + (1 - weight) * (plain - random_plain))


def _score(lead: float) -> float:
    return (math.exp(lead) - math.exp(-1)) / (math.exp(1) - math.exp(-1))


def dd_ranking(
    means: Mapping[str, float], original: float | None, augmented: bool
) -> dict[str, float]:
    """The scores, and their parts, that a comparison has the rows for.

    Args:
        means: mean accuracies by the names of the rows.
        original: the accuracy after training on all real data, where it is known.
        augmented: whether the set is made for training with augmentation; the rows "augmentation"
            have the other way.
    """
    found = {}
    if original is not None and {"distilled", "hard_labels", "learned_labels"} <= means.keys():
        hard, own, random = (means[n] for n in ("hard_labels", "distilled", "learned_labels"))
        found["hard label recovery"] = original - hard
        found["improvement over random"] = own - random
        found["label-robust score"] = label_robust_score(original, hard, own, random)
    ways = ("distilled", "random_real"), ("augmentation", "random_real_augmentation")
    if {name for way in ways for name in way} <= means.keys():
        changed, plain = ways if augmented else ways[::-1]
        found["augmentation-robust score"] = augmentation_robust_score(
            *(means[name] for name in (*changed, *plain))
        )
    return found


def describe(found: Mapping[str, float]) -> str:
    """The scores in a line for a person; "" for none."""
    told = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    return f"DD-Ranking: {told}" if told else ""
