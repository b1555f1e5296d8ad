"""The architecture-search outlook (Section 5): does a distilled set rank networks as all data do?

Variants of a network are trained on a distilled set and on all of the training data;
if the rank correlation of the two accuracies is high, the set can stand in for the data.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill.common import say
from tf_distill.core import Accuracy, Learner, Samples
from tf_distill.evaluation.bench import Bench, Conditions, check_finished, check_set
from tf_distill.evaluation.original import cached, maker
from tf_distill.networks import ITSELF, Build, variants
from tf_distill.runs import Run

NAME = "ranking.json"
HOW = (
    "Each variant starts from random networks, also for a set that was distilled for one fixed "
    "network, and takes the set's learning rates times one factor, chosen on training data."
)
FIXED = (
    "the set was made for one fixed initial network, and hardly trains any other, so its ranks say "
    "little; rank by a set of init=random"
)

Entry = dict[str, Any]


def complete_ranking(run: Run, samples: Samples, networks: int) -> dict[str, Any]:
    """Adds the ranking check to a finished run, variant by variant: `mode=ranking`.

    Args:
        run: is finished.
        samples: its set.
        networks: random initial networks to train on the set, for each variant.

    Returns:
        The content of ranking.json.

    Raises:
        UserError: the file there is of another set or damaged; the run has other data now.
    """
    check_finished(run)
    if run.config.init == "fixed":
        say(f"warning: {FIXED}")
    with run.files.locked():
        found = run.files.read(NAME)
        own = check_set(Path(run.config.run_dir, NAME), found, samples)
        entries = found.get("variants", [])
        done = {entry["name"] for entry in entries}
        for name, build in variants(run.choice.name).items():
            if name in done:
                continue
            entries.append(both_ways(run, name, build, samples, networks))
            found = {"set": own, **summarize(entries)}
            run.files.write(NAME, found)
            say(line(entries[-1]))
    return found


def both_ways(run: Run, name: str, build: Build, samples: Samples, networks: int) -> Entry:
    """Trains one variant on the distilled set and on all data: its entry of ranking.json."""
    dataset, start = run.dataset, time.monotonic()
    learner = Learner(build(dataset.encoding.shape, dataset.outputs))
    conditions = Conditions("random", networks, 1, run.config.seed, run.recipe)
    scale, accuracies = Bench(learner, dataset, conditions).test_scaled(samples)
    seconds = round(time.monotonic() - start, 1)
    training = run.choice.training(len(dataset.y_train))
    variant = "" if name == ITSELF else name
    full = cached(run, maker(build, dataset, training), training, variant)
    return {
        "name": name,
        "parameters": sum(int(np.prod(shape)) for shape in learner.shapes),
        "lr_scale": scale,
        "distilled": Accuracy.of(accuracies)._asdict(),
        "distilled_seconds": seconds,
        "full": {"mean": full.accuracy, "epochs": full.epochs},
        "full_seconds": full.seconds,
    }


def summarize(entries: Sequence[Entry]) -> dict[str, Any]:
    """The content of ranking.json: the entries and Spearman's and Kendall's rank correlation.

    The correlations are None for fewer than two variants, or where all are alike.
    """
    from scipy import stats

    distilled = [entry["distilled"]["mean"] for entry in entries]
    full = [entry["full"]["mean"] for entry in entries]
    known = len(set(distilled)) > 1 and len(set(full)) > 1
    return {
        "how": HOW,
        "networks": entries[0]["distilled"]["networks"] if entries else 0,
        "variants": list(entries),
        "spearman": float(stats.spearmanr(distilled, full).statistic) if known else None,
        "kendall": float(stats.kendalltau(distilled, full).statistic) if known else None,
    }


def line(entry: Entry) -> str:
    """One variant for the terminal."""
    return (
        f"{entry['name']:20} distilled {entry['distilled']['mean']:.4f} in "
        f"{entry['distilled_seconds']:.0f} s, full {entry['full']['mean']:.4f} in "
        f"{entry['full_seconds']:.0f} s"
    )


def describe(found: dict[str, Any]) -> str:
    """The rank correlation in a line for a person."""
    distilled, full = (
        sum(entry[name] for entry in found["variants"])
        for name in ("distilled_seconds", "full_seconds")
    )
    if found["spearman"] is None:
        return f"no rank correlation: {len(found['variants'])} variants, all alike"
    return (
        f"rank correlation of {len(found['variants'])} variants: Spearman "
        f"{found['spearman']:.2f}, Kendall {found['kendall']:.2f}; {distilled:.0f} s on the "
        f"distilled set, {full:.0f} s on all data"
    )
