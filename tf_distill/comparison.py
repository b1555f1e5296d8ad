"""A finished run beside what a user would try first: `--mode=baselines`.

Each row is kept in comparison.json as soon as it is measured, and not measured again.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill import baseline_rows, control_rows, files, lock, ranking, run, schemas, wording
from tf_distill.config import Config, Protocol
from tf_distill.datasets import Dataset
from tf_distill.errors import UserError
from tf_distill.evaluate import Accuracy, distillation_ratio
from tf_distill.folder import RunFolder
from tf_distill.other_networks import rows_of_other_networks
from tf_distill.progress import say
from tf_distill.rows import Row
from tf_distill.subject import Subject

CURVE_NETWORKS = 20
CURVE_POINTS = 31


def complete(config: Config, protocol: Protocol) -> dict[str, Any]:
    """Adds baselines and controls to a run, which is made first where it is not finished.

    Returns:
        What comparison.json holds.

    Raises:
        UserError: a mistake in the settings; or an earlier comparison had other ones.
    """
    dataset = run.load_dataset(config)
    with RunFolder(config).locked():
        return _completed(config, protocol, dataset)


def _completed(config: Config, protocol: Protocol, dataset: Dataset) -> dict[str, Any]:
    if not RunFolder(config).results():
        run.run(config)
    subject = Subject.of_run(config, protocol, dataset)
    path = Path(config.run_dir, "comparison.json")
    comparison = begun(path, subject)

    def save() -> None:
        files.write_json(path, comparison)

    if "original" not in comparison:
        comparison["original"] = run.original_of(config, dataset)
        save()
    run.add_ratio(config, comparison["original"]["accuracy"])
    say(f"{'original, all data':28} {comparison['original']['accuracy']:.4f}")
    for measured in comparison["rows"]:
        say(line(measured))
    done = {row["name"] for row in comparison["rows"]}
    for row in rows_of(subject):
        if row.name not in done:
            comparison["rows"].append(measure(row, subject, comparison))
            save()
            say(line(comparison["rows"][-1]))
    if "curve" not in comparison:
        comparison["curve"] = curve(subject)
        save()
    return comparison


def protocol(config: Config, given: dict[str, int | None]) -> Protocol:
    """What was given, and for the rest what an earlier comparison of the run had."""
    earlier = schemas.read(Path(config.run_dir, "comparison.json")).get("settings", {})
    told = {name: value for name, value in given.items() if value is not None}
    known = {f.name: earlier[f.name] for f in dataclasses.fields(Protocol) if f.name in earlier}
    return Protocol(**known | told)


def so_far(config: Config) -> str:
    """What to add on stopping: how many rows are measured, and how to see them; "" for none."""
    found = schemas.read(Path(config.run_dir, "comparison.json"))
    rows, expected = (len(found.get(name, [])) for name in ("rows", "expected"))
    return f" with {rows} of {expected} rows measured, for --mode=report to show" if rows else ""


def begun(path: Path, subject: Subject) -> dict[str, Any]:
    """What an earlier call left, or an empty comparison.

    Raises:
        UserError: it was made by another protocol or for another set, or is damaged.
    """
    asked = dataclasses.asdict(subject.protocol)
    new = {
        "settings": asked,
        "set": subject.fingerprint,
        "expected": [row.title for row in rows_of(subject)],
        "rows": [],
    }
    comparison = schemas.read(path)
    settings = comparison.get("settings", asked)
    changed = [
        f"--{name} was {settings.get(name)}, now {value}"
        for name, value in asked.items()
        if settings.get(name) != value
    ]
    if comparison.get("set", subject.fingerprint) != subject.fingerprint:
        changed.append("it measured another distilled set")
    if changed:
        raise UserError(f"{path} differs: {'; '.join(changed)}; delete it to begin again")
    return new | comparison


def rows_of(subject: Subject) -> list[Row]:
    """The rows that apply to the run, in their order."""
    others = rows_of_other_networks(subject.config)
    every = (*baseline_rows.ROWS, *control_rows.ROWS, *others)
    return [row for row in every if row.applies(subject)]


def measure(row: Row, subject: Subject, comparison: dict[str, Any]) -> dict[str, Any]:
    """One row, as comparison.json has it."""
    started = time.monotonic()
    measured = row.measure(subject, {r["name"]: r for r in comparison["rows"]})
    accuracy = Accuracy.of(measured.accuracies)
    seconds = time.monotonic() - started
    return {
        "name": row.name,
        "group": row.group,
        "title": row.title,
        "how": measured.how,
        "lr": measured.lr,
        "accuracies": measured.accuracies,
        **accuracy._asdict(),
        "ratio": distillation_ratio(accuracy.mean, comparison["original"]["accuracy"]),
        "seconds": round(seconds, 1),
    }


def line(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    accuracy = wording.accuracy(row["mean"], row["std"], row["networks"])
    return f"{row['title']:28} {accuracy:16}   {row['seconds']:5.0f} s"


def curve(subject: Subject) -> dict[str, Any]:
    """The accuracy after every inner step, or after some of many.

    Returns:
        Lists "step", "mean" and "std", and the number of networks.
    """
    networks = min(CURVE_NETWORKS, subject.protocol.baseline_networks)
    samples, total = subject.samples, subject.samples.lr.shape[0]
    shown = np.unique(np.linspace(0, total, CURVE_POINTS).round().astype(int)).tolist()
    # Steps with a rate of zero change nothing, so one compiled training serves for all.
    stopped = [
        samples._replace(lr=tf.where(tf.range(total) < step, samples.lr, 0.0)) for step in shown
    ]
    accuracies = [Accuracy.of(subject.bench.test([s], networks)) for s in stopped]
    return {
        "step": shown,
        "mean": [a.mean for a in accuracies],
        "std": [a.std for a in accuracies],
        "networks": accuracies[0].networks,
    }


def complete_ranking(config: Config, networks: int) -> dict[str, Any]:
    """Adds the ranking check to a finished run, variant by variant: `--mode=ranking`.

    Args:
        config: of the run.
        networks: random initial networks to train on the set, for each variant.

    Returns:
        What ranking.json holds.

    Raises:
        UserError: the run is not finished, or the file there is of another set or damaged.
    """
    subject = Subject.of_run(config, Protocol(), run.load_dataset(config))
    with lock.held(Path(config.run_dir)):
        return _ranked(config, networks, subject)


def _ranked(config: Config, networks: int, subject: Subject) -> dict[str, Any]:
    path = Path(config.run_dir, "ranking.json")
    found = schemas.read(path)
    if found.get("set", subject.fingerprint) != subject.fingerprint:
        raise UserError(f"{path} measured another distilled set; delete it to begin again")
    entries = found.get("variants", [])
    going = ranking.rank(
        subject.samples,
        subject.dataset,
        config.model,
        networks,
        config.seed,
        run.originals(config),
        done=entries,
    )
    for entry in going:
        entries.append(entry)
        found = {"set": subject.fingerprint, **ranking.summarize(entries)}
        files.write_json(path, found)
        say(ranking.line(entry))
    return found
