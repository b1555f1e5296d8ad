"""A finished run beside what a user would try first: `--mode=baselines`.

Each row is kept in comparison.json as soon as it is measured, and not measured again.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill import config
from tf_distill.common import (
    UserError,
    accuracy_words,
    folder_lock,
    full_training,
    named,
    read_checked,
    say,
    write_json,
)
from tf_distill.config import Config, Protocol
from tf_distill.core import Accuracy, Samples, distillation_ratio
from tf_distill.evaluation import baselines, controls, ranking
from tf_distill.evaluation.controls import rows_of_other_networks
from tf_distill.evaluation.original import Original, cached, original_accuracy
from tf_distill.evaluation.rows import Row, Subject
from tf_distill.networks.choice import Choice
from tf_distill.networks.registry import Training
from tf_distill.report import report
from tf_distill.runs import run
from tf_distill.runs.experiment import Experiment
from tf_distill.runs.folder import RunFolder, changed_since
from tf_distill.runs.results import compared_with

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
        run.set_original(folder.path, original)
        comparison = compared_with(found, original)
        fill(subject, comparison, functools.partial(write_json, path))
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
    say("   ".join([told, full_training(original)]).rstrip())
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
    return read_checked(folder / NAME)


def protocol(earlier: Json, given: Mapping[str, int | None]) -> Protocol:
    """What was given, and for the rest what an earlier comparison had; {} for none.

    Raises:
        UserError: a number below 1.
    """
    before = earlier.get("settings", {})
    told = {name: value for name, value in given.items() if value is not None}
    known = {f.name: before[f.name] for f in dataclasses.fields(Protocol) if f.name in before}
    return Protocol(**config.plain_numbers(known | told))


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
    every = (*baselines.ROWS, *controls.ROWS, *others)
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
    accuracy = accuracy_words(row["mean"], row["std"], row["networks"])
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
    with folder_lock(Path(config.run_dir)):
        return _ranked(config, networks, subject)


def _ranked(config: Config, networks: int, subject: Subject) -> Json:
    path = Path(config.run_dir, "ranking.json")
    found = read_checked(path)
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
        write_json(path, found)
        say(ranking.line(entry))
    return found


class Kept:
    """The comparison of a run: in its folder or, without one, in memory.

    Args:
        path: of the folder, or None.
    """

    def __init__(self, path: Path | None):
        self._path, self._found = path, Json()

    def read(self) -> Json:
        """What comparison.json holds, as far as it has come; {} for nothing."""
        return kept(self._path) if self._path else self._found

    def write(self, found: Json) -> None:
        """Keeps it."""
        if self._path:
            write_json(self._path / NAME, found)
        else:
            self._found = found

    def set_original(self, original: Json) -> None:
        """All ratios are to this original accuracy from now on, those of results.json too."""
        if self._path:
            run.set_original(self._path, original)
        elif self._found:
            self._found = compared_with(self._found, original)

    @contextlib.contextmanager
    def locked(self, config: Config) -> Iterator[None]:
        """Keeps other processes out of the folder; in the end its report is drawn anew.

        Raises:
            UserError: the folder has gone since, or its run is no longer whole.
        """
        if not self._path:
            yield
            return
        if not (self._path / "results.json").is_file():
            raise UserError(
                f"{self._path} holds no finished run any more; put it back, or call td.distill "
                "again"
            )
        folder = RunFolder(self._path)
        folder.check(config)
        with folder.locked():
            yield
            report.write(self._path)


def settings(given: Training) -> Training:
    """Settings of full training as plain numbers.

    Raises:
        UserError: one is none, or out of its range.
    """
    if not isinstance(given, Training):
        raise UserError(
            f"training is of type {type(given).__name__}, expected a tf_distill.Training, such as "
            "result.training._replace(epochs=5)"
        )
    return Training(
        **{k: config.checked_number(k, v, f"training.{k}") for k, v in given._asdict().items()}
    )


def original(
    work: Experiment, choice: Choice, training: Training | None, path: Path | None, *earlier: Json
) -> Json:
    """The network after full training, from an earlier call where there was one.

    Args:
        work: what was distilled.
        choice: its network.
        training: how it is trained; None for as before or, if it was not, as usual.
        path: of the run's folder; None to keep nothing.
        earlier: what comparison.json and results.json hold.

    Returns:
        The fields of `Original` and, for a network of one's own, what tells it from others.

    Raises:
        UserError: a rate of dropout for a network of one's own.
        Diverged: the loss is no number.
        Interrupted: on SIGINT or SIGTERM, where there is a folder.
    """
    told, data = choice.training_fingerprint(work.learner), work.dataset
    before = known(told, *earlier)
    if before and (training is None or before["settings"] == training._asdict()):
        return before
    training = training or choice.training(len(data.y_train))
    make, seed = choice.trainee(data, training, path), work.config.seed
    if path:
        cache = run.originals(work.config)
        found = cached(make, data, training, seed, cache, choice.name, also=told)
    else:
        found = original_accuracy(make, data, training, seed, choice.short_name)
    return {**found._asdict(), **({"network": told} if told else {})}


def known(told: Mapping[str, str], *earlier: Json) -> Json | None:
    """What `original` gave earlier.

    Args:
        told: what tells the network from others; graphs of two versions can't be compared.
        earlier: what comparison.json and results.json hold.

    Returns:
        None where there is nothing, or of a network that was another in training.
    """
    found = [e["original"] for e in earlier if e.get("original", {}).keys() >= {*Original._fields}]
    same = (f for f in found if not changed_since(f.get("network", {}), {**told}))
    return next(same, None)


def own_begun(
    work: Experiment,
    samples: Samples,
    given: Mapping[str, int | None],
    earlier: Json,
    path: Path | None,
) -> tuple[Subject, Json]:
    """A comparison to go on with, and what it is of.

    Args:
        work: what was distilled.
        samples: the set.
        given: how much is measured, by the names of `Protocol`; None for as much as usual.
        earlier: what an earlier call left.
        path: of the run's folder, where what is there is not given up; None for none.

    Raises:
        UserError: the earlier comparison had other settings, or was of another set.
    """
    asked = protocol(earlier, given)
    if not path and earlier.get("settings") != dataclasses.asdict(asked):
        earlier = {}
    subject = Subject(work.config, asked, work.dataset, work.learner, samples)
    return subject, begun(earlier, subject, path and path / NAME)
