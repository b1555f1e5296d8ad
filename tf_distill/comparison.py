"""A finished run beside what a user would try first: `--mode=baselines`.

Each row is kept in comparison.json as soon as it is measured, and not measured again.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill import (
    baseline_rows,
    control_rows,
    files,
    in_folder,
    limits,
    lock,
    outcome,
    ranking,
    run,
    schemas,
    wording,
)
from tf_distill.config import Config, Protocol
from tf_distill.errors import UserError
from tf_distill.evaluate import Accuracy, distillation_ratio
from tf_distill.folder import RunFolder
from tf_distill.other_networks import rows_of_other_networks
from tf_distill.progress import named, say
from tf_distill.rows import Row
from tf_distill.subject import Subject

NAME = "comparison.json"
CURVE_NETWORKS = 20
CURVE_POINTS = 31
Json = dict[str, Any]


def complete(config: Config, protocol: Protocol) -> Json:
    """Adds baselines and controls to a run, which is made first where it is not finished.

    Returns:
        What comparison.json holds.

    Raises:
        UserError: a mistake in the settings; or an earlier comparison had other ones.
    """
    folder = RunFolder(config.run_dir)
    folder.check(config)
    if not folder.results():
        run.run(config)
    dataset = run.load_dataset(config)
    with folder.locked():
        results = folder.results() or {}
        subject = Subject.of_run(config, protocol, dataset)
        path = folder.path / NAME
        found = begun(kept(folder.path), subject, path)
        original = found.get("original") or results.get("original")
        original = original or run.original_of(config, dataset)
        in_folder.set_original(folder.path, original)
        comparison = outcome.compared_with(found, original)
        fill(subject, comparison, functools.partial(files.write_json, path))
        return comparison


def fill(subject: Subject, comparison: Json, save: Callable[[Json], None]) -> None:
    """Measures the rows that a comparison lacks, and tells all.

    Args:
        subject: what is compared.
        comparison: as `begun` gives it, with the original accuracy; is updated in place.
        save: keeps it; is called at first, and after each row.
    """
    save(comparison)
    original = comparison["original"]
    told = f"{'original, all data':28} {original['accuracy']:.4f}"
    say("   ".join([told, wording.full_training(original)]).rstrip())
    for row in comparison["rows"]:
        say(line(row))
    done = {row["name"] for row in comparison["rows"]}
    left = [row for row in rows_of(subject) if row.name not in done]
    for row in named(left, "measured {} of {} rows", lambda row: row.title):
        comparison["rows"].append(measure(row, subject, comparison))
        save(comparison)
        say(line(comparison["rows"][-1]))
    if "curve" not in comparison:
        comparison["curve"] = curve(subject)
        save(comparison)


def kept(folder: Path) -> Json:
    """The comparison of a run's folder, as far as it has come; {} for none."""
    return schemas.read(folder / NAME)


def protocol(earlier: Json, given: Mapping[str, int | None]) -> Protocol:
    """What was given, and for the rest what an earlier comparison had; {} for none.

    Raises:
        UserError: a number below 1.
    """
    before = earlier.get("settings", {})
    told = {name: value for name, value in given.items() if value is not None}
    known = {f.name: before[f.name] for f in dataclasses.fields(Protocol) if f.name in before}
    return Protocol(**limits.plain(known | told))


def so_far(config: Config) -> str:
    """What to add on stopping: how many rows are measured, and how to see them; "" for none."""
    found = kept(Path(config.run_dir))
    rows, expected = (len(found.get(name, [])) for name in ("rows", "expected"))
    return f" with {rows} of {expected} rows measured, for --mode=report to show" if rows else ""


def begun(earlier: Json, subject: Subject, path: Path | None) -> Json:
    """A comparison to go on with.

    Args:
        earlier: what another call left; {} for nothing.
        subject: what is compared.
        path: of the earlier one, for the error.

    Raises:
        UserError: the earlier one was made by another protocol or for another set.
    """
    asked = dataclasses.asdict(subject.protocol)
    new = {
        "settings": asked,
        "set": subject.fingerprint,
        "expected": [row.title for row in rows_of(subject)],
        "rows": [],
    }
    settings = earlier.get("settings", asked)
    changed = [
        f"--{name} was {settings.get(name)}, now {value}"
        for name, value in asked.items()
        if settings.get(name) != value
    ]
    if earlier.get("set", subject.fingerprint) != subject.fingerprint:
        raise UserError(f"{path} measured another distilled set; delete it to begin again")
    if changed:
        raise UserError(
            f"{path} differs: {'; '.join(changed)}; leave that out to go on with what was, or "
            "delete the file to begin again"
        )
    return new | earlier


def rows_of(subject: Subject) -> list[Row]:
    """The rows that apply to the run, in their order."""
    others = rows_of_other_networks(subject)
    every = (*baseline_rows.ROWS, *control_rows.ROWS, *others)
    return [row for row in every if row.applies(subject)]


def measure(row: Row, subject: Subject, comparison: Json) -> Json:
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


def line(row: Json) -> str:
    """A row for the terminal."""
    accuracy = wording.accuracy(row["mean"], row["std"], row["networks"])
    return f"{row['title']:28} {accuracy:16}   {row['seconds']:5.0f} s"


def curve(subject: Subject) -> Json:
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


def complete_ranking(config: Config, networks: int) -> Json:
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


def _ranked(config: Config, networks: int, subject: Subject) -> Json:
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
