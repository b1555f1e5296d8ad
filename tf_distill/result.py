"""What a distillation from Python gives back."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from tf_distill import experiment as experiments
from tf_distill import files, in_folder, versions
from tf_distill.evaluate import Accuracy
from tf_distill.experiment import Experiment, Finished
from tf_distill.figures import gallery
from tf_distill.figures.style import missing_letters_told, render
from tf_distill.record import Record
from tf_distill.saved_set import LoadedSet
from tf_distill.wording import accuracy_over, network, size_of_set


class Result:
    """A finished distillation.

    distilled: the set: `distilled.train(model)` trains a Keras model on it, `distilled.samples`
        has its tensors x, y and lr.
    results: settings, accuracies and times, as results.json has them.
    history: a dict of "step", "loss" and, where the set was evaluated, "accuracy" for each
        outer step.

    Args:
        experiment: what was done.
        finished: what came out.
        build: makes the network.
    """

    def __init__(
        self, experiment: Experiment, finished: Finished, build: Callable[[], keras.Model]
    ):
        self._experiment, self._finished = experiment, finished
        self.distilled = LoadedSet(
            finished.samples, finished.weights, finished.metadata, build, finished.frozen
        )
        self.results: dict[str, Any] = finished.results
        self.history: list[dict[str, float]] = finished.history

    def __repr__(self) -> str:
        described, samples = self.results, self.distilled.samples
        return (
            f"<distilled {described['dataset']}: {size_of_set(samples.x.shape, len(samples.lr))}; "
            f"accuracy {accuracy_over(*self.accuracy)} with "
            f"{network(described['model'])}, {described['init']} initialization>"
        )

    @property
    def accuracy(self) -> Accuracy:
        """Distillation accuracy on the test split: mean and std are fractions (Section 4.1)."""
        return Accuracy(**self.results["accuracy"])

    def evaluate(self, networks: int = 20) -> Accuracy:
        """Trains networks on the set and tests them on the whole test split.

        Args:
            networks: fresh random ones; with a fixed initialization there is only one.

        Returns:
            Mean and population standard deviation over the networks, as fractions.
        """
        return self._evaluate(self.distilled.samples, networks)

    def figures(self, path: str | Path) -> list[Path]:
        """Draws the figures of a report as PNG files; for texts also sentences.txt.

        Args:
            path: a folder; it is made if it is not there.

        Returns:
            The files that were written.

        Raises:
            UserError: the folder can't be written.
        """
        folder = Path(path).expanduser()
        with files.writing_to(folder, files.ELSEWHERE):
            folder.mkdir(parents=True, exist_ok=True)
        record = self._record(folder)
        written = []
        with missing_letters_told():
            for plate in gallery.plates(record):
                written.append(folder / f"{plate.name}.png")
                files.write_bytes(written[-1], render(functools.partial(plate.draw, record)))
        if sentences := record.metadata.get("sentences"):
            written.append(folder / "sentences.txt")
            files.write_text(written[-1], "\n".join([*sentences, ""]))
        return written

    def export(self, path: str | Path) -> dict[str, Path]:
        """Writes the set and the network trained on it as SavedModels, each as a next version.

        Args:
            path: a folder. `distilled/1` in it is the set, for `load_distilled` and for
                programs without this package; `model/1` is the trained network for
                TensorFlow Serving. A second export makes `distilled/2` and `model/2`.

        Returns:
            The two new folders by "distilled" and "model".

        Raises:
            UserError: the folder can't be written, or TensorFlow Serving could not run the model.
        """
        folder, samples = Path(path).expanduser(), self.distilled.samples
        return {
            "distilled": versions.publish(
                folder / "distilled",
                functools.partial(in_folder.write_set, self._finished),
            ),
            "model": versions.publish(
                folder / "model",
                lambda part: in_folder.write_model(self._experiment, samples, part),
            ),
        }

    @functools.cached_property
    def _evaluate(self):
        e = self._experiment
        return experiments.evaluation(e.config, e.learner, e.dataset)

    def _record(self, folder: Path) -> Record:
        """What the figures are drawn from, as if it had been read from a run's folder."""
        settings = {name: self.results[name] for name in ("dataset", "model", "init", "labels")}
        found = self._finished
        return Record(
            folder, settings, self.results, {}, {}, {}, self.history, found.metadata, found.samples
        )
