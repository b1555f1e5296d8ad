"""What Python has distilled, beside baselines: on data and for a network that may have no name."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tf_distill import comparison, files, in_folder, inputs, limits, outcome, report, run
from tf_distill.config import Config
from tf_distill.errors import UserError
from tf_distill.experiment import Experiment
from tf_distill.folder import RunFolder
from tf_distill.inner import Samples
from tf_distill.models import Training
from tf_distill.network_choice import Choice
from tf_distill.original import Original, cached, original_accuracy
from tf_distill.subject import Subject

Json = dict[str, Any]


class Kept:
    """The comparison of a run: in its folder or, without one, in memory.

    Args:
        path: of the folder, or None.
    """

    def __init__(self, path: Path | None):
        self._path, self._found = path, Json()

    def read(self) -> Json:
        """What comparison.json holds, as far as it has come; {} for nothing."""
        return comparison.kept(self._path) if self._path else self._found

    def write(self, found: Json) -> None:
        """Keeps it."""
        if self._path:
            files.write_json(self._path / comparison.NAME, found)
        else:
            self._found = found

    def set_original(self, original: Json) -> None:
        """All ratios are to this original accuracy from now on, those of results.json too."""
        if self._path:
            in_folder.set_original(self._path, original)
        elif self._found:
            self._found = outcome.compared_with(self._found, original)

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
    return Training(**{k: limits.number(k, v, f"training.{k}") for k, v in given._asdict().items()})


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
    same = (f for f in found if not inputs.changed_since(f.get("network", {}), {**told}))
    return next(same, None)


def begun(
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
    protocol = comparison.protocol(earlier, given)
    if not path and earlier.get("settings") != dataclasses.asdict(protocol):
        earlier = {}
    subject = Subject(work.config, protocol, work.dataset, work.learner, samples)
    return subject, comparison.begun(earlier, subject, path and path / comparison.NAME)
