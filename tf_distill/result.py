"""What a distillation from Python gives back."""

import copy
import dataclasses
import functools
from pathlib import Path
from typing import Any

from tf_distill import comparison, files, in_folder, outcome, own_comparison, schemas, versions
from tf_distill import experiment as experiments
from tf_distill.errors import words_of_python
from tf_distill.evaluate import Accuracy
from tf_distill.experiment import Experiment, Finished
from tf_distill.figures import gallery
from tf_distill.figures.style import missing_letters_told, render
from tf_distill.folder import RunFolder
from tf_distill.models import Training
from tf_distill.network_choice import Choice
from tf_distill.original import Original
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
        choice: the network.
        folder: that all of it is in, or None.
    """

    def __init__(
        self,
        experiment: Experiment,
        finished: Finished,
        choice: Choice,
        folder: RunFolder | None = None,
    ):
        self._path = folder.path.absolute() if folder else None  # wherever Python goes later
        if self._path:
            config = dataclasses.replace(experiment.config, run_dir=str(self._path))
            experiment = dataclasses.replace(experiment, config=config)
        self._experiment, self._finished, self._choice = experiment, finished, choice
        self._kept = own_comparison.Kept(self._path)
        self.distilled = LoadedSet(
            finished.samples, finished.weights, finished.metadata, choice.build, finished.frozen
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

    @property
    def training(self) -> Training:
        """How the network is trained on all of the data, where nothing else is asked for.

        A network with a name as the command line trains it; your own by Adam from 0.001, for 20
        epochs in batches of 64, but for at least 2,000 steps and at most 20,000.
        """
        return self._choice.training(len(self._experiment.dataset.y_train))

    @words_of_python()
    def original(self, training: Training | None = None) -> Original:
        """Trains the network on all of the training data by Keras's Adam (Section 4.1, Table 4).

        `results` then has the "original_accuracy", how it came about, and the "ratio" r_M of the
        set's accuracy to it; so have the rows of a comparison. Where there is a run_dir its files
        and its report have them too, a training that was stopped goes on, and the accuracy is
        kept for later calls in `.originals` beside the folder.

        Args:
            training: how; by default `self.training`.

        Raises:
            UserError: a setting out of its range; dropout for a network of your own, which has
                layers for it; the folder is gone.
            Diverged: the loss is no number; lower training.lr.
            Interrupted: on SIGINT or SIGTERM, where there is a run_dir.
        """
        told = self.training if training is None else own_comparison.settings(training)
        with self._kept.locked(self._experiment.config):
            found = self._original(told)
        return Original(*(found[name] for name in Original._fields))

    @words_of_python()
    def compare(
        self,
        *,
        baseline_sets: int | None = None,
        baseline_networks: int | None = None,
        sgd_epochs: int | None = None,
        control_steps: int | None = None,
        training: Training | None = None,
    ) -> dict[str, Any]:
        """Measures the paper's six baselines, controls, and other networks beside the set.

        That is what `--mode=baselines` does. `figures` then has those of the comparison too. Rows
        are kept as soon as they are measured, so another call after one that was stopped goes on.
        Where there is a run_dir they are kept there, also for the same `td.distill` in another
        process, and its report has all of them at the end.

        Args:
            baseline_sets: draws of random real examples, and of shuffled orders; 20.
            baseline_networks: random initial networks to test a row with; 200.
            sgd_epochs: epochs of the control "ordinary SGD"; 100.
            control_steps: at most so many outer steps for the control with learned labels; 2000.
            training: on all of the data, as for `original`; by default the accuracy of the last
                call of that is taken, if there was one.

        Returns:
            What comparison.json holds: "rows", dicts of "title", "group", "mean", "std",
            "networks", "ratio", "how" and more (`pandas.DataFrame(found["rows"])`); "original";
            "curve", the accuracy after each inner step.

        Raises:
            UserError: a setting out of its range, or another than an earlier comparison in the
                folder had; the folder is gone.
            Diverged: the loss of the full training is no number; lower training.lr.
            Interrupted: on SIGINT or SIGTERM in the full training, where there is a run_dir.
        """
        given = {
            "baseline_sets": baseline_sets,
            "baseline_networks": baseline_networks,
            "sgd_epochs": sgd_epochs,
            "control_steps": control_steps,
        }
        told = None if training is None else own_comparison.settings(training)
        work, samples, kept = self._experiment, self.distilled.samples, self._kept
        with kept.locked(work.config):
            subject, found = own_comparison.begun(work, samples, given, kept.read(), self._path)
            found = outcome.compared_with(found, self._original(told))
            comparison.fill(subject, found, kept.write)
        return copy.deepcopy(found)

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

    def _original(self, training: Training | None) -> dict[str, Any]:
        """What all ratios are to from now on; None takes the last training, or else the usual."""
        if self._path:  # another process, or another result, may have written there
            self.results |= schemas.read(self._path / "results.json")
        earlier = (self._kept.read(), self.results)
        found = own_comparison.original(
            self._experiment, self._choice, training, self._path, *earlier
        )
        self.results |= outcome.with_original(self.results, found)
        self._kept.set_original(found)
        return found

    def _record(self, folder: Path) -> Record:
        """What the figures are drawn from, as if it had been read from a run's folder."""
        settings = {name: self.results[name] for name in ("dataset", "model", "init", "labels")}
        found = self._finished
        return Record(
            folder,
            settings,
            self.results,
            self._kept.read(),
            sweep={},
            ranking={},
            metrics=self.history,
            metadata=found.metadata,
            samples=found.samples,
        )
