"""The architecture-search outlook (Section 5): do a few distilled samples rank networks rightly?

Variants of a network are trained on a distilled set and on all of the training data;
if the rank correlation of the two accuracies is high, the set can stand in for the data.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tf_distill.common import UserError, say
from tf_distill.core import Accuracy, Learner, Samples
from tf_distill.datasets import Dataset
from tf_distill.evaluation.bench import Bench, Conditions
from tf_distill.evaluation.original import Keeping, cached, maker, originals
from tf_distill.evaluation.rows import Protocol, Subject
from tf_distill.networks import NETWORKS, Build, registry
from tf_distill.runs.run import Run

HOW = (
    "Each variant starts from random networks, also for a set that was distilled for one fixed "
    "network, and takes the set's learning rates times one factor, chosen on training data."
)

Entry = dict[str, Any]


def complete_ranking(run: Run, samples: Samples, networks: int) -> dict[str, Any]:
    """Adds the ranking check to a finished run, variant by variant: `mode=ranking`.

    Args:
        run: is finished.
        samples: its set.
        networks: random initial networks to train on the set, for each variant.

    Returns:
        What ranking.json holds.

    Raises:
        UserError: the file there is of another set or damaged.
    """
    name, config = "ranking.json", run.config
    fingerprint = Subject(run, Protocol(), samples).fingerprint
    with run.files.locked():
        found = run.files.read(name)
        if found.get("set", fingerprint) != fingerprint:
            raise UserError(
                f"{run.files.path}/{name} measured another distilled set; delete it to begin again"
            )
        entries = found.get("variants", [])
        cache = originals(run)
        for entry in rank(
            samples, run.dataset, config.model, networks, config.seed, cache, done=entries
        ):
            entries.append(entry)
            found = {"set": fingerprint, **summarize(entries)}
            run.files.write(name, found)
            say(line(entry))
    return found


def rank(
    samples: Samples,
    dataset: Dataset,
    network: str,
    networks: int,
    seed: int,
    cache: Keeping,
    done: Sequence[Entry] = (),
) -> Iterator[Entry]:
    """Trains every variant of a network both ways, one after the other.

    Args:
        samples: the distilled set.
        dataset: on whose test split both are measured.
        network: its name in the registry.
        networks: random initial networks to train on the set.
        seed: of the run.
        cache: of the accuracies after full training, as for `original.cached`.
        done: entries of an earlier call, passed over.

    Yields:
        An entry of ranking.json's "variants" at a time.
    """
    finished = {entry["name"] for entry in done}
    for name, build in registry.variants(network).items():
        if name not in finished:
            entry = on_distilled(build, samples, dataset, networks, seed)
            training = NETWORKS[network].training
            variant = "" if name == registry.ITSELF else name
            make = maker(build, dataset, training)
            full = cached(make, dataset, training, seed, cache, network, variant)
            yield {
                "name": name,
                **entry,
                "full": {"mean": full.accuracy, "epochs": full.epochs},
                "full_seconds": full.seconds,
            }


def on_distilled(
    build: Build, samples: Samples, dataset: Dataset, networks: int, seed: int
) -> Entry:
    """One variant's part of an entry: its size, and its accuracy after the distilled set."""
    start = time.monotonic()
    learner = Learner(build(dataset.encoding.shape, dataset.outputs))
    bench = Bench(learner, dataset, Conditions("random", networks, batch_size=1, seed=seed))
    scale, accuracies = bench.test_scaled(samples)
    return {
        "parameters": sum(int(np.prod(shape)) for shape in learner.shapes),
        "lr_scale": scale,
        "distilled": Accuracy.of(accuracies)._asdict(),
        "distilled_seconds": round(time.monotonic() - start, 1),
    }


def summarize(entries: Sequence[Entry]) -> dict[str, Any]:
    """What ranking.json holds: the entries and Spearman's and Kendall's rank correlation.

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
