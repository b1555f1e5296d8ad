"""The Python interface: one call from data and a Keras model to a distilled set."""

import copy
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill.common import (
    ELSEWHERE,
    UserError,
    accuracy_over,
    network_name,
    read_checked,
    read_metrics,
    say,
    size_of_set,
    words_of_python,
    write_bytes,
    write_text,
    writing_to,
)
from tf_distill.config import Config, complete, folder_path
from tf_distill.core import Accuracy, Callback, Distribution
from tf_distill.datasets import DATASETS
from tf_distill.datasets.base import Dataset, refuse_stream
from tf_distill.evaluation import comparison
from tf_distill.evaluation.original import Original
from tf_distill.export import distilled_set, versions
from tf_distill.export.distilled_set import LoadedSet
from tf_distill.networks.choice import Choice, Model, choose
from tf_distill.networks.registry import Training
from tf_distill.report import Record
from tf_distill.report.figures import missing_letters_told, plates, render
from tf_distill.runs import experiment, run, warm_start
from tf_distill.runs.experiment import Experiment, Finished, carry_out
from tf_distill.runs.folder import (
    Inputs,
    Metrics,
    RunFolder,
    check_inputs,
    of_data,
    recall_inputs,
    remember_inputs,
)
from tf_distill.runs.results import compared_with, with_original
from tf_distill.runs.run import carry_out_once


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
        self._kept = comparison.Kept(self._path)
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
            f"{network_name(described['model'])}, {described['init']} initialization>"
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
        told = self.training if training is None else comparison.settings(training)
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
        told = None if training is None else comparison.settings(training)
        work, samples, kept = self._experiment, self.distilled.samples, self._kept
        with kept.locked(work.config):
            subject, found = comparison.own_begun(work, samples, given, kept.read(), self._path)
            found = compared_with(found, self._original(told))
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
        with writing_to(folder, ELSEWHERE):
            folder.mkdir(parents=True, exist_ok=True)
        record = self._record(folder)
        written = []
        with missing_letters_told():
            for plate in plates(record):
                written.append(folder / f"{plate.name}.png")
                write_bytes(written[-1], render(functools.partial(plate.draw, record)))
        if sentences := self.distilled.metadata.get("sentences"):
            written.append(folder / "sentences.txt")
            write_text(written[-1], "\n".join([*sentences, ""]))
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
            "distilled": versions.publish_version(
                folder / "distilled",
                functools.partial(run.write_set, self._finished),
            ),
            "model": versions.publish_version(
                folder / "model",
                lambda part: run.write_model(self._experiment, samples, part),
            ),
        }

    @functools.cached_property
    def _evaluate(self):
        e = self._experiment
        return experiment.evaluation(e.config, e.learner, e.dataset)

    def _original(self, training: Training | None) -> dict[str, Any]:
        """What all ratios are to from now on; None takes the last training, or else the usual."""
        if self._path:  # another process, or another result, may have written there
            self.results |= read_checked(self._path / "results.json")
        earlier = (self._kept.read(), self.results)
        found = comparison.original(self._experiment, self._choice, training, self._path, *earlier)
        self.results |= with_original(self.results, found)
        self._kept.set_original(found)
        return found

    def _record(self, folder: Path) -> Record:
        """What the figures are drawn from, as if it had been read from a run's folder."""
        settings = {name: self.results[name] for name in ("dataset", "model", "init", "labels")}
        return Record(
            folder,
            settings,
            self.results,
            self._kept.read(),
            sweep={},
            ranking={},
            metrics=self.history,
            distilled=self.distilled,
        )


BATCH_SIZE, OUTER_STEPS = 256, 1000


@words_of_python()
def distill(
    data: Dataset,
    model: Model | None = None,
    *,
    samples_per_step: int | None = None,
    steps: int = 1,
    epochs: int | None = None,
    init: str = "fixed",
    labels: str = "soft",
    label_init: str = "one_hot",
    sample_init: str | None = None,
    sample_scale: float | None = None,
    start: str | Path | None = None,
    inner_lr: float | None = None,
    outer_lr: float | None = None,
    outer_momentum: float | None = None,
    outer_steps: int | None = None,
    batch_size: int | None = None,
    networks: int | None = None,
    eval_networks: int | None = None,
    eval_every: int | None = None,
    seed: int = 0,
    run_dir: str | Path | None = None,
    checkpoint_minutes: float | None = None,
    callbacks: Sequence[Callback] = (),
    keep: str | None = None,
    early_stopping: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
    jit_compile: bool = False,
) -> Result:
    """Distills a dataset for a Keras model (Algorithms 1a and 1b of the paper).

    The settings are those of the command line, with the same defaults where the dataset or
    the network has a name that is known.

    Args:
        data: for instance from `tf_distill.datasets`.
        model: a name of the registry ("lenet", "alexcifarnet", "textconvnet", "birnn", "bilstm");
            by default, as on the command line, the text CNN for texts, LeNet for grey images,
            AlexCifarNet for those in colour, or a known dataset's own. Or a function that returns a
            Keras model: functional, sequential or subclassed, built or not, from `[batch,
            *data.encoding.shape]` to logits `[batch, classes]`, with a single one for two classes.
            It is called several times, without arguments or, if it wants them, with (input_shape,
            outputs). Frozen layers stay as they are, and belong to the set. Weights are drawn as
            their initializers say; those without a random initializer, or set after they had been
            made, start from their value in every network.
        samples_per_step: distilled samples in each inner step; by default one a class.
        steps: inner gradient steps an epoch, each with samples of its own.
        epochs: times that the inner steps are gone through.
        init: "fixed" for one initial network, the same for distillation and use; "random" for
            any network of the same distribution (Section 3.1).
        labels: "soft", learned and any real values (Section 3.3); "hard", one-hot and left so.
        label_init: "one_hot", or "random" for standard normal labels.
        sample_init: "normal"; "real" to start from training examples, with init="random" the
            default of all but the recurrent networks; "linear" to start from training examples
            that are moved towards each class along a linear classifier.
        sample_scale: a factor of the samples at the start; 1.
        start: the folder of a distilled set, of a run that has made one, or of an export. Its
            samples, labels and learning rates are learned further, in place of new ones; steps,
            samples_per_step and epochs must be the same. With init="fixed" take its seed too.
        inner_lr: learning rate of the inner steps at the start; it is learned.
        outer_lr: learning rate of the outer Adam at the start; it falls along a cosine.
        outer_momentum: Adam's beta1; by default 0.5, for most random networks 0.9.
        outer_steps: updates of the distilled set; 1000 where the data have no name.
        batch_size: real examples in each outer step; 256 where the data have no name.
        networks: random networks in each outer step; 1.
        eval_networks: fresh networks to evaluate the final set with; 200 with init="random".
        eval_every: outer steps from one evaluation to the next; by default a tenth of all.
        seed: everything random follows from it.
        run_dir: a folder to write everything to, as the command line does. The same call goes on
            where an interrupted one stood. Without it nothing is written.
        checkpoint_minutes: from one checkpoint in that folder to the next; 2.
        callbacks: called after each outer step; none of them is stopped at the start.
        keep: "last" for the set after the last outer step; "best" for the one of the highest
            accuracy on a tenth of the training data, which is held out and which evaluations
            on the way are then on. The final accuracy is on the test split, as always.
        early_stopping: evaluations without a higher accuracy to stop after; keeps the best.
        strategy: a tf.distribute.MirroredStrategy, whose devices share each outer step.
        jit_compile: whether XLA compiles the outer step: on a GPU that takes a minute and then is
            several times as fast, on a CPU it is slower. What is random is drawn otherwise.

    Returns:
        The distilled set with its accuracy.

    Raises:
        UserError: a setting out of its range, a model that does not fit the data or can't be
            differentiated twice, or a folder with a run of other settings.
        Diverged: loss or gradient is no number, again and again; lower inner_lr or outer_lr.
        Interrupted: on SIGINT or SIGTERM, where there is a run_dir, after a checkpoint.
        KeyboardInterrupt: on either in an evaluation; work since the last checkpoint is lost.
    """
    given = {
        "samples_per_step": samples_per_step,
        "steps": steps,
        "epochs": epochs,
        "init": init,
        "labels": labels,
        "label_init": label_init,
        "sample_init": sample_init,
        "sample_scale": sample_scale,
        "start": warm_start.place(start),
        "inner_lr": inner_lr,
        "outer_lr": outer_lr,
        "outer_momentum": outer_momentum,
        "outer_steps": outer_steps,
        "batch_size": batch_size,
        "networks": networks,
        "eval_networks": eval_networks,
        "eval_every": eval_every,
        "keep": keep or ("last" if early_stopping is None else "best"),
        "early_stopping": early_stopping,
        "seed": seed,
        "run_dir": folder_path("run_dir", run_dir),
        "checkpoint_minutes": checkpoint_minutes,
        "jit_compile": jit_compile,
    }
    refuse_stream(data, "data")
    if not isinstance(data, Dataset):
        raise UserError(
            f"data is of type {type(data).__name__}, expected a dataset; make one by "
            "tf_distill.datasets.from_arrays, from_texts or another of these"
        )
    _begin(callbacks)
    choice = choose(model, data)
    config = _config(given, data, choice)
    folder = None if run_dir is None else RunFolder(config.run_dir)
    path = folder.path if folder else None
    learner = choice.learner(path)
    config, first = warm_start.of(config, data, learner, path)
    work = Experiment(config, learner, data, callbacks, _distribution(strategy), first)
    work.check()
    return Result(work, _finished(work, choice, folder), choice, folder)


def _begin(callbacks: Sequence[Callback]) -> None:
    """Lets callbacks that have ended an earlier call begin anew."""
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks[{i}] is of type {type(callback).__name__}, expected an object of a "
                "class that extends tf_distill.Callback"
            )
        vars(callback).pop("stop", None)


def _distribution(strategy: Any) -> Distribution:
    """The replicas of a strategy in one process, or none."""
    if strategy is not None and not isinstance(strategy, tf.distribute.Strategy):
        raise UserError(
            f"strategy is of type {type(strategy).__name__}, expected a "
            "tf.distribute.MirroredStrategy()"
        )
    distribution = Distribution(strategy)
    if distribution.workers > 1:
        raise UserError(
            f"strategy has {distribution.workers} workers, expected those of one process; use "
            "the command line for a cluster, with --distribution=multiworker"
        )
    return distribution


def _config(given: dict[str, Any], data: Dataset, choice: Choice) -> Config:
    """All settings: those that were given, and for the rest what fits the data and network."""
    given = warm_start.without_what_it_brings(given)
    entry = DATASETS.get(data.name)
    sizes = (entry.batch_size, entry.outer_steps) if entry else (BATCH_SIZE, OUTER_STEPS)
    named = {"dataset": data.name, "model": choice.name, "data_dir": ".", "run_dir": "."}
    return complete(given, named, choice.defaults, len(data.classes), *sizes)


def _finished(work: Experiment, choice: Choice, folder: RunFolder | None) -> Finished:
    """Carries the work out, or reads what a folder holds of it already."""
    if not folder:
        choice.try_out(work.learner)
        return carry_out(work)
    folder.check(work.config)
    now = _inputs(work, choice)
    check_inputs(folder.path, _remembered(work, folder), now)

    def begin() -> None:
        choice.try_out(work.learner)
        remember_inputs(folder.path, now)
        distilled_set.remember_frozen(folder.path, work.learner.frozen)

    if finished := carry_out_once(work, folder, begin):
        return finished
    say(f"{folder.path} is finished; delete it, or name another run_dir, to run again")
    return _read(folder)


def _inputs(work: Experiment, choice: Choice) -> Inputs:
    """What the run depends on beside its settings; a name of the registry says all of a network."""
    shapes = [list(shape) for shape in work.learner.shapes]
    network = choice.fingerprint(work.learner)
    return {**of_data(work.dataset), "weights": shapes, **network}


def _remembered(work: Experiment, folder: RunFolder) -> Inputs:
    """What a folder remembers; of the command line's runs on named data, what it would load."""
    if not folder.begun:
        return {}
    before, config = recall_inputs(folder.path), work.config
    if before or config.dataset not in DATASETS:
        return before
    place = read_checked(folder.path / "config.json").get("data_dir", config.data_dir)
    return of_data(DATASETS[config.dataset].load(Path(place), config.embeddings))


def _read(folder: RunFolder) -> Finished:
    loaded = distilled_set.load(folder.path / "distilled" / "1")
    return Finished(
        loaded.samples,
        loaded.initial_weights,
        read_checked(folder.path / "results.json"),
        loaded.metadata,
        read_metrics(folder.path / Metrics.FILE),
        loaded.frozen_weights,
    )
