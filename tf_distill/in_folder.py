"""An experiment in a folder: carried out once, and written there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tf_distill import files, lock, outcome, report, saved_set, schemas, servable
from tf_distill.experiment import Experiment, Finished, carry_out
from tf_distill.folder import RunFolder
from tf_distill.inner import Samples


def carry_out_once(
    experiment: Experiment, folder: RunFolder, begin: Callable[[], None]
) -> Finished | None:
    """Carries out what a folder does not hold yet, and writes it there.

    Args:
        experiment: what to do.
        folder: to read and write.
        begin: is called first where there is something to do, while no other process is at it.

    Returns:
        The outcome, or None where it is in the folder already.

    Raises:
        UserError: another process is at work there, or has been since the folder was looked at.
    """
    if folder.begun and folder.results():
        return None
    with folder.locked():
        folder.settle(experiment.config)
        if folder.results():  # of a process that has gone on with it and just ended
            return None
        begin()
        finished = carry_out(experiment, folder)
        write(experiment, finished, folder.path)
        return finished


def write(experiment: Experiment, finished: Finished, folder: Path) -> None:
    """Writes the set, the trained model, the results, figures and the report to a run's folder."""
    write_set(finished, folder / "distilled" / "1")
    write_model(experiment, finished.samples, folder / "model" / "1")
    files.write_json(folder / "results.json", finished.results)
    report.write(folder)


def write_set(finished: Finished, path: Path) -> None:
    """Writes the distilled set as a SavedModel."""
    saved_set.save(path, finished.samples, finished.weights, finished.metadata, finished.frozen)


def write_model(experiment: Experiment, samples: Samples, path: Path) -> None:
    """Trains the network on the set and writes it as a servable SavedModel."""
    config = experiment.config
    model = servable.trained(
        experiment.learner, samples, experiment.dataset, config.init, config.seed
    )
    servable.write(path, model)


def set_original(folder: Path, original: dict[str, Any]) -> float | None:
    """Writes the original accuracy, and all ratios to it, to the files of a finished run.

    Args:
        folder: of the run.
        original: the accuracy, and how the network was trained for it.

    Returns:
        The ratio r_M of the distilled set.
    """
    results, comparison = folder / "results.json", folder / "comparison.json"
    with lock.held(folder):
        compared = schemas.read(comparison)  # a damaged one leaves the other as it is
        found = outcome.with_original(schemas.read(results), original)
        if compared:
            files.write_json(comparison, outcome.compared_with(compared, original))
        files.write_json(results, found)
    return found["ratio"]
