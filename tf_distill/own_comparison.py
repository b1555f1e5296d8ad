"""What Python has distilled, beside baselines: on data and for a network that may have no name."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tf_distill import comparison, limits, run
from tf_distill.errors import UserError
from tf_distill.experiment import Experiment
from tf_distill.folder import RunFolder
from tf_distill.inner import Samples
from tf_distill.models import Training
from tf_distill.network_choice import Choice
from tf_distill.original import Original, cached, original_accuracy
from tf_distill.subject import Subject


def settings(work: Experiment, choice: Choice, given: Training | None) -> Training:
    """The settings of full training, as plain numbers.

    Args:
        work: what was distilled.
        choice: its network.
        given: None for what fits the network and the data.

    Raises:
        UserError: one is out of its range.
    """
    if given is None:
        return choice.training(len(work.dataset.y_train))
    if not isinstance(given, Training):
        raise UserError(
            f"training is of type {type(given).__name__}, expected a "
            "tf_distill.Training(lr=0.001, batch_size=64, epochs=20, steps=20000)"
        )
    return Training(**limits.plain(given._asdict()))


def original(
    work: Experiment, choice: Choice, training: Training, folder: RunFolder | None
) -> Original:
    """The network after full training, from an earlier call where there was one.

    Args:
        work: what was distilled.
        choice: its network.
        training: how it is trained.
        folder: of the run; None to keep nothing.

    Raises:
        UserError: a rate of dropout for a network of one's own.
        Interrupted: on SIGINT or SIGTERM, where there is a folder.
    """
    make = choice.trainee(work.dataset, training, folder.path if folder else None)
    seed = work.config.seed
    if not folder:
        return original_accuracy(make, work.dataset, training, seed, choice.short_name)
    told, cache = choice.training_fingerprint(work.learner), run.originals(work.config)
    return cached(make, work.dataset, training, seed, cache, choice.name, also=told)


def complete(
    work: Experiment,
    samples: Samples,
    given: Mapping[str, int | None],
    training: Training | None,
    original: Callable[[], Original],
    folder: RunFolder | None,
) -> dict[str, Any]:
    """The comparison of a set with all its rows.

    Args:
        work: what was distilled.
        samples: the set.
        given: how much is measured, by the names of `Protocol`; None for as much as usual.
        training: that was asked for on all of the data, if any was.
        original: trains the network on all of the data.
        folder: where each row is kept, and was by an earlier call; None for nowhere.

    Returns:
        What comparison.json holds.

    Raises:
        UserError: the earlier comparison had other settings, or was of another set.
    """
    with folder.locked() if folder else contextlib.nullcontext():
        path = folder.path / comparison.NAME if folder else None
        earlier = comparison.kept(folder.path) if folder else {}
        protocol = comparison.protocol(earlier, given)
        subject = Subject(work.config, protocol, work.dataset, work.learner, samples)
        found = comparison.begun(earlier, subject, path)
        _check_same(training, found, path)
        if "original" not in found:
            found["original"] = original()._asdict()
        comparison.fill(subject, found, path)
    return found


def _check_same(training: Training | None, found: dict[str, Any], path: Path | None) -> None:
    """Raises UserError where full training was done, and otherwise than is asked for now."""
    trained = found.get("original", {}).get("settings")
    if training and trained not in (None, training._asdict()):
        raise UserError(
            f"{path} differs: training was {Training(**trained)}; delete it to begin again"
        )
