"""The rows of a finished run: baselines, controls and other networks beside its distilled set.

Each row is kept in comparison.json as soon as it is measured, and not measured again.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, accuracy_words, full_training, named, say, unknown_name
from tf_distill.config import Protocol, plain_numbers
from tf_distill.core import Accuracy, Samples
from tf_distill.evaluation import baselines, classifiers, controls
from tf_distill.evaluation.bench import Row, Subject, check_finished, check_set
from tf_distill.evaluation.original import original_of
from tf_distill.networks import Training
from tf_distill.report import Record, report, scores
from tf_distill.runs import Run

NAME = "comparison.json"
CURVE_NETWORKS = {"replay": 20, "training": 5}
CURVE_POINTS = {"replay": 31, "training": 11}
"""At most; each point is a training of its own."""
Json = dict[str, Any]


def compare(
    run: Run,
    samples: Samples,
    given: Mapping[str, int | None],
    training: Training | None = None,
    rows: Sequence[str] = (),
) -> tuple[Json, Json]:
    """Measures baselines and controls beside a finished run; continues an earlier comparison.

    Args:
        run: is finished.
        samples: its set.
        given: how much is measured, by the names of `Protocol`; None for as much as before or,
            at first, as usual.
        training: on all of the data, for the original accuracy; None for as before or usual.
        rows: the names of those to measure now; without any, all rows and the curve.

    Returns:
        The content of comparison.json, and the original accuracy that its ratios are to.

    Raises:
        UserError: an earlier comparison had other settings, or was of another set; the run is no
            longer in its folder; there is no such row.
    """
    check_finished(run)
    with run.files.locked():
        subject, found = _begun(run, samples, given)
        asked, save = _asked(rows_of(subject), rows), functools.partial(run.files.write, NAME)
        original = original_of(run, training)
        _fill(subject, found, original, asked, save)
        if not rows:
            _complete(subject, found, original, save)
        if run.files.path:
            report.write(run.files.path)
    return found, original


def so_far(run: Run) -> str:
    """For the message of a stop: how many rows are measured, if any, and how to see them."""
    found = run.files.read(NAME)
    rows, expected = (len(found.get(name, [])) for name in ("rows", "expected"))
    return f" with {rows} of {expected} rows measured, for mode=report to show" if rows else ""


def _begun(run: Run, samples: Samples, given: Mapping[str, int | None]) -> tuple[Subject, Json]:
    """The comparison to continue, or a new one, and its subject."""
    earlier = run.files.read(NAME)
    before = earlier.get("settings", {})
    told = {name: value for name, value in given.items() if value is not None}
    known = {f.name: before[f.name] for f in dataclasses.fields(Protocol) if f.name in before}
    protocol = Protocol(**plain_numbers(known | told))
    asked = dataclasses.asdict(protocol)
    if not run.files.path and before != asked:  # in memory another protocol begins anew
        earlier = {}
    path = Path(run.files.path or "", NAME)
    own = check_set(path, earlier, samples)
    settings = earlier.get("settings", asked)
    changed = [
        f"{name} was {settings.get(name)}, now {value}"
        for name, value in asked.items()
        if settings.get(name) != value
    ]
    if changed:
        raise UserError(
            f"{path} differs: {'; '.join(changed)}; leave that out to continue, or delete "
            "the file to begin again"
        )
    subject = Subject(run, protocol, samples)
    expected = [row.title for row in rows_of(subject)]
    new = {"settings": asked, "set": own, "expected": expected, "rows": []}
    return subject, new | earlier


def _asked(every: list[Row], names: Sequence[str]) -> list[Row]:
    """The rows of these names and those that they need; all without a name."""
    known = {row.name: row for row in every}
    for name in names:
        if name not in known:
            raise unknown_name("row", name, known)
    wanted = {*names, *(need for name in names for need in known[name].needs)}
    return [row for row in every if not names or row.name in wanted]


def _fill(
    subject: Subject,
    comparison: Json,
    original: Json,
    asked: list[Row],
    save: Callable[[Json], None],
) -> None:
    """Measures the rows that a comparison lacks; saves and prints each."""
    save(comparison)
    told = f"{'original, all data':28} {original['accuracy']:.4f}"
    say("   ".join([told, full_training(original)]).rstrip())
    for row in comparison["rows"]:
        say(line(row))
    done = {row["name"] for row in comparison["rows"]}
    place = {row.name: i for i, row in enumerate(rows_of(subject))}
    left = [row for row in asked if row.name not in done]
    for row in named(left, "measured {} of {} rows", lambda row: row.title):
        measured = measure(row, subject, comparison)
        comparison["rows"].append(measured)
        comparison["rows"].sort(key=lambda row: place.get(row["name"], len(place)))
        save(comparison)
        say(line(measured))


def _complete(
    subject: Subject, comparison: Json, original: Json, save: Callable[[Json], None]
) -> None:
    """Adds what needs all rows: the curve, and the scores in words."""
    if "curve" not in comparison:
        comparison["curve"] = curve(subject)
        save(comparison)
    config, results = dataclasses.asdict(subject.run.config), subject.run.files.read("results.json")
    record = Record(Path(), config, results | {"original": original}, comparison)
    if told := scores.describe(record.dd_ranking):
        say(told)


def rows_of(subject: Subject) -> list[Row]:
    """The rows that apply to the run, in their order."""
    every = (
        *baselines.ROWS,
        *controls.ROWS,
        *controls.rows_of_other_training(subject),
        *controls.rows_of_other_networks(subject),
        *classifiers.ROWS,
    )
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
        "seconds": round(seconds, 1),
    }


def line(row: Json) -> str:
    """A row for the terminal."""
    accuracy = accuracy_words(row["mean"], row["std"], row["networks"])
    return f"{row['title']:28} {accuracy:16}   {row['seconds']:5.0f} s"


def curve(subject: Subject) -> Json:
    """The accuracy after every inner step, or after some of them if there are many.

    Returns:
        Lists "step", "mean" and "std", and the number of networks.
    """
    use = subject.run.config.use
    samples, total = subject.samples, subject.samples.lr.shape[0]
    shown = np.unique(np.linspace(0, total, CURVE_POINTS[use]).round().astype(int)).tolist()
    # Steps with a rate of zero change nothing, so one compiled training serves for all.
    stopped = [
        samples._replace(lr=tf.where(tf.range(total) < step, samples.lr, 0.0)) for step in shown
    ]
    accuracies = [Accuracy.of(subject.bench.test([s], CURVE_NETWORKS[use])) for s in stopped]
    return {
        "step": shown,
        "mean": [a.mean for a in accuracies],
        "std": [a.std for a in accuracies],
        "networks": accuracies[0].networks,
    }
