"""The Python interface: one call from data and a Keras model to a distilled set."""

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
    measure_of,
    network_name,
    size_of_set,
    write_bytes,
    write_text,
    writing_to,
)
from tf_distill.config import Config, checked_number, complete, folder_path
from tf_distill.core import Accuracy, Callback, Distribution
from tf_distill.datasets import DATASETS, Dataset, refuse_stream
from tf_distill.evaluation import comparison
from tf_distill.evaluation.bench import check_finished
from tf_distill.evaluation.original import Original, checked_training, original_of
from tf_distill.export import publish_version, saved_model, set_folder
from tf_distill.networks import Choice, Model, Training, choose
from tf_distill.report import report
from tf_distill.report.figures import missing_letters_told, plates, render
from tf_distill.report.record import OfClass, Record, distillation_ratio, with_ratios
from tf_distill.runs import (
    Finished,
    InMemory,
    Run,
    RunFolder,
    carry_out,
    evaluation,
    prepared,
    write_model,
)


class Result:
    """A finished distillation.

    distilled: the set: `distilled.train(model)` trains a Keras model on it, `distilled.samples`
        has its tensors x, y and lr.
    history: a dict of "step", "loss" and, where the set was evaluated, "accuracy" and "seconds"
        of the run, for each outer step.

    Args:
        run: settings, data and network.
        finished: the set, results and history.
    """

    def __init__(self, run: Run, finished: Finished):
        self._run = run
        self.distilled = finished.distilled
        self.results = _with_ratio(finished.results)
        self.history = finished.history

    def __repr__(self) -> str:
        described, samples = self.results, self.distilled.samples
        majority = Record(Path(), {}, described).majority
        always = f" ({majority.words})" if majority else ""
        return (
            f"<distilled {described['dataset']}: {size_of_set(samples.x.shape, len(samples.lr))}; "
            f"{measure_of(described.get('target'))} {accuracy_over(*self.accuracy)}{always} with "
            f"{network_name(described['model'])}, {described['init']} initialization>"
        )

    @property
    def accuracy(self) -> Accuracy:
        """Distillation accuracy on the test split: mean and std are fractions (Section 4.1).

        For regression it is R2.
        """
        return Accuracy(**self.results["accuracy"])

    @property
    def rmse(self) -> Accuracy | None:
        """Of regression the root mean squared error on the test split, in the target's units."""
        found = self.results.get("rmse")
        return found and Accuracy(**found)

    @property
    def by_class(self) -> list[OfClass]:
        """How the test examples of each class were answered, over all networks of the test.

        `pandas.DataFrame(result.by_class)` is a table of it: the class, its test examples, the
        share of them that was right, and the most frequent wrong answer.
        """
        return Record(Path(), {}, self.results).by_class

    def evaluate(self, networks: int = 20) -> Accuracy:
        """Trains networks on the set and tests them on the whole test split.

        Args:
            networks: fresh random networks; with a fixed initialization there is only one.

        Returns:
            Mean and population standard deviation over the networks, as fractions.

        Raises:
            UserError: `networks` is no whole number from 1 on.
        """
        networks = checked_number("networks", networks, "networks")
        return self._evaluate(self.distilled.samples, networks).accuracy

    @property
    def training(self) -> Training:
        """How the network is trained on all of the data, by default.

        A network with a name is trained as on the command line; your own by Adam from 0.001, for
        20 epochs in batches of 64, but for at least 2,000 steps and at most 20,000.
        """
        return self._run.choice.training(len(self._run.dataset.y_train))

    def original(self, training: Training | None = None) -> Original:
        """Trains the network on all of the training data by Keras's Adam (Section 4.1, Table 4).

        `results` then has the "original_accuracy", the full training as "original", and the "ratio"
        r_M of the set's accuracy to it; the rows of a comparison have their ratios too. With a
        run_dir its files and its report tell them, a stopped training continues, and the accuracy
        is kept for later calls in `.originals` beside the folder.

        Args:
            training: how; by default `self.training`.

        Raises:
            UserError: a setting is out of its range; a rate of dropout for a network of your own,
                which has layers for it; the folder is gone.
            Diverged: the loss is NaN or infinite; lower training.lr.
            Interrupted: on SIGINT or SIGTERM, where there is a run_dir.
        """
        told = self.training if training is None else checked_training(training)
        run = self._run
        check_finished(run)
        with run.files.locked():
            found = original_of(run, told)
            if run.files.path:
                report.write(run.files.path)
        self.results = _with_ratio(self.results | {"original": found})
        return Original(*(found[name] for name in Original._fields))

    def compare(
        self,
        *,
        baseline_sets: int | None = None,
        baseline_networks: int | None = None,
        sgd_epochs: int | None = None,
        control_steps: int | None = None,
        training: Training | None = None,
        rows: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Measures baselines, controls, and other networks beside the set.

        They are the paper's six baselines; a set for ordinary training has some more rows, all
        under its own training.

        The command line has it as `--mode=baselines`. `figures` then draws the comparison too.
        Each row is kept as soon as it is measured, so the same call continues a comparison that
        was stopped. With a run_dir rows are kept there, also for the same `td.distill` in another
        process, and its report has all of them at the end.

        Args:
            baseline_sets: draws of random real examples, and of shuffled orders; 20.
            baseline_networks: random initial networks to test a row with; 200.
            sgd_epochs: epochs of the control "ordinary SGD"; 100.
            control_steps: at most so many outer steps for the control with learned labels; 2000.
            training: on all of the data, as for `original`; by default the last original
                accuracy is taken, if there is one.
            rows: measure only these now, by their "name", such as "random_real" and "k_means".

        Returns:
            The content of comparison.json with "original", the full training, and ratios to it.
            "rows" are dicts of "name", "title", "group", "mean", "std", "networks", "ratio", "how"
            and more (`pandas.DataFrame(found["rows"])`); "curve" is the accuracy after each inner
            step.

        Raises:
            UserError: a setting is out of its range, or differs from an earlier comparison in
                the folder; the folder is gone.
            Diverged: the loss of the full training is NaN or infinite; lower training.lr.
            Interrupted: on SIGINT or SIGTERM in the full training, where there is a run_dir.
        """
        given = {
            "baseline_sets": baseline_sets,
            "baseline_networks": baseline_networks,
            "sgd_epochs": sgd_epochs,
            "control_steps": control_steps,
        }
        told = None if training is None else checked_training(training)
        found, original = comparison.compare(self._run, self.distilled.samples, given, told, rows)
        self.results = _with_ratio(self.results | {"original": original})
        with_ratio = with_ratios(found["rows"], original["accuracy"])
        return found | {"rows": with_ratio, "original": original}

    def figures(self, path: str | Path) -> list[Path]:
        """Draws the figures of a report as PNG files; for texts it also writes sentences.txt.

        Args:
            path: a folder; it is made if it is missing.

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
        """Writes the set and the network trained on it, each as a next version.

        Args:
            path: a folder. `set/1` in it is the set as plain files with a card, to send and to
                train on anywhere; `distilled/1` is the same as a SavedModel, for pipelines of
                TensorFlow; `model/1` is the trained network for TensorFlow Serving. A second
                export makes `set/2` and so on.

        Returns:
            The new folders by "set", "distilled" and "model".

        Raises:
            UserError: the folder can't be written, or TensorFlow Serving could not run the model.
        """
        folder = Path(path).expanduser()
        write = functools.partial(write_model, self._run, self.distilled.samples)
        return {
            "set": publish_version(
                folder / "set", lambda part: set_folder.write(part, self.distilled)
            ),
            "distilled": publish_version(
                folder / "distilled", lambda part: saved_model.write(part, self.distilled)
            ),
            "model": publish_version(folder / "model", write),
        }

    @functools.cached_property
    def _evaluate(self):
        return evaluation(self._run, self._run.dataset)

    def _record(self, folder: Path) -> Record:
        """The record that figures are drawn from, as if read from a run's folder."""
        settings = {name: self.results[name] for name in ("dataset", "model", "init", "labels")}
        return Record(
            folder,
            settings,
            self.results,
            self._run.files.read(comparison.NAME),
            metrics=self.history,
            distilled=self.distilled,
        )


def _with_ratio(results: dict[str, Any]) -> dict[str, Any]:
    """Results with the ratio r_M where the original accuracy is known."""
    if "original" not in results:
        return results
    original = results["original"]["accuracy"]
    ratio = distillation_ratio(results["accuracy"]["mean"], original)
    return results | {"original_accuracy": original, "ratio": ratio}


BATCH_SIZE, OUTER_STEPS = 256, 1000


def distill(
    data: Dataset,
    model: Model | None = None,
    *,
    use: str | None = None,
    samples_per_step: int | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    init: str | None = None,
    learn: str | None = None,
    labels: str | None = None,
    label_init: str = "one_hot",
    sample_init: str | None = None,
    sample_scale: float | None = None,
    start: str | Path | None = None,
    inner_optimizer: str | None = None,
    inner_lr: float | None = None,
    unroll: int | None = None,
    window: int | None = None,
    augment: str | None = None,
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
        model: a name of the registry ("lenet", "alexcifarnet", "convnet", a ConvNet of another
            width and depth such as "convnet-64" or "convnet-64-2", "textconvnet", "birnn",
            "bilstm", "mlp", "resnet_mlp", "linear"); by default, as on the command line, the text
            CNN for texts, the mlp for tables and vectors, LeNet for grey images, a small ConvNet
            for those in colour, or a known dataset's own. Or a Keras model, of which each network
            is a copy with new weights. Or a function that returns one: functional, sequential or
            subclassed, built or not, from `[batch, *data.encoding.shape]` to logits `[batch,
            classes]`, or `[batch, 1]` for two classes or a quantity. It is called several times,
            without arguments or, if it wants them, with (input_shape, outputs). Frozen layers stay
            as they are, and belong to the set. Weights are drawn as their initializers say; those
            without a random initializer, or set after they had been made, start from their value in
            every network.
        use: "training" for a set that any ordinary training can use: shuffled minibatches, any
            number of epochs, fresh weights, another network. "replay" for the paper's way: a
            set with its own steps and learning rates. The other defaults follow from it. By default
            "training", but "replay" for a dataset of the registry.
        samples_per_step: distilled samples in each inner step, a minibatch: by default ten a class
            in all steps together, 30 for a quantity; for replay one a class, ten for a quantity.
        steps: inner steps an epoch, 4 or 5: as many minibatches have all samples together. For
            replay 1, each step with samples of its own.
        epochs: passes through the samples when the set is used.
        init: "random" for any network of the same distribution; "fixed", only for replay and its
            default, for one initial network, the same for distillation and use (Section 3.1).
        learn: what is learned, of "samples,labels,rates". learn="labels" keeps real examples
            as they are, chosen by matching pursuit.
        labels: "probabilities", learned ones; "soft", learned real values (Section 3.3), for
            replay the default; "quantities", learned ones, for regression; "hard", one-hot or those
            of real examples, not learned.
        label_init: "one_hot", or "random" for standard normal labels.
        sample_init: "real" to start from training examples, "medoids" from those nearest to
            the centres of clusters in each class, "k_means" from the centres themselves,
            "matching_pursuit" from the examples from which a regression explains the classes
            best, "linear" from training examples that are moved towards each class along a linear
            classifier, "normal" from noise.
        sample_scale: a factor of the samples at the start; 1, but 0.3 for learned texts of
            use="training": from small samples networks learn longer.
        start: continues from this distilled set: the folder of a set, of a finished run, or of an
            export. Its samples, labels and learning rates are learned further; steps,
            samples_per_step and epochs must be the same. With init="fixed" give its seed too.
        inner_optimizer: "adam"; "momentum", which is SGD with a momentum of 0.9; "sgd", for
            replay the default.
        inner_lr: learning rate of the inner steps; replay learns it from there.
        unroll: inner steps of a training in an outer step, at most.
        window: inner steps that the hypergradient goes through, at a random place of them.
        augment: "none"; for images "shift" or "crop_and_flip", of both the set and real data.
        outer_lr: learning rate of the outer Adam at the start; it falls along a cosine.
        outer_momentum: Adam's beta1; by default 0.5, for most random networks 0.9.
        outer_steps: updates of the distilled set; 1000 where the data have no name.
        batch_size: real examples in each outer step; 256 where the data have no name.
        networks: random networks in each outer step; 1.
        eval_networks: fresh networks to evaluate the final set with; 200 with init="random".
        eval_every: outer steps from one evaluation to the next; by default a tenth of all.
        seed: everything random follows from it.
        run_dir: a folder to write everything to, as the command line does. The same call
            continues an interrupted one. Without it nothing is written.
        checkpoint_minutes: from one checkpoint in that folder to the next; 2.
        callbacks: called after each outer step; one that stopped an earlier call begins anew.
        keep: "last" for the set after the last outer step; "best" for the set with the highest
            accuracy on a tenth of the training data. This tenth is held out, and evaluations on
            the way use it; the final accuracy is on the test split, as always.
        early_stopping: stops after so many evaluations without a higher accuracy; keeps the best.
        strategy: a tf.distribute.MirroredStrategy, whose devices share each outer step.
        jit_compile: whether XLA compiles the outer step: on a GPU that takes a minute and then is
            several times as fast, on a CPU it is slower. Random numbers differ from those without.

    Returns:
        The distilled set with its accuracy.

    Raises:
        UserError: a setting is out of its range, a model does not fit the data or can't be
            differentiated twice, or a folder has a run of other settings.
        Diverged: loss or gradient is NaN or infinite five times in a row; lower inner_lr or
            outer_lr.
        Interrupted: on SIGINT or SIGTERM, where there is a run_dir, after a checkpoint.
        KeyboardInterrupt: on either in an evaluation; work since the last checkpoint is lost.
    """
    told = locals()
    names = {field.name for field in dataclasses.fields(Config)} - {"model"}  # a Choice has it
    given = {name: value for name, value in told.items() if name in names}
    given["keep"] = keep or ("last" if early_stopping is None else "best")
    given["run_dir"] = folder_path("run_dir", run_dir)
    refuse_stream(data, "data")
    if not isinstance(data, Dataset):
        raise UserError(
            f"data is of type {type(data).__name__}, expected a dataset; make one by "
            "tf_distill.datasets.from_arrays, from_texts or another of these"
        )
    _check_callbacks(callbacks)
    choice = choose(model, data)
    config = _config(given, data, choice)
    files = InMemory() if run_dir is None else RunFolder(Path(config.run_dir).absolute())
    shared = _distribution(strategy)
    run = Run.of(config, data, choice, files, callbacks=callbacks, distribution=shared)
    finished = carry_out(run)
    assert finished  # a strategy of one process has no other workers
    return Result(run, finished)


def _check_callbacks(callbacks: Sequence[Callback]) -> None:
    """Checks the callbacks; those that have stopped an earlier call begin anew."""
    for i, callback in enumerate(callbacks):
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks[{i}] is of type {type(callback).__name__}, expected an object of a "
                "class that extends tf_distill.Callback"
            )
        vars(callback).pop("stop", None)


def _distribution(strategy: Any) -> Distribution:
    """The replicas of a strategy, which must be in one process; None for one replica."""
    if strategy is not None and not isinstance(strategy, tf.distribute.Strategy):
        raise UserError(
            f"strategy is of type {type(strategy).__name__}, expected a "
            "tf.distribute.MirroredStrategy()"
        )
    distribution = Distribution(strategy)
    if distribution.workers > 1:
        raise UserError(
            f"strategy has {distribution.workers} workers, expected those of one process; use "
            "the command line for a cluster, with distribution=multiworker"
        )
    return distribution


def _config(given: dict[str, Any], data: Dataset, choice: Choice) -> Config:
    """The given settings, and defaults that fit the data and the network."""
    entry = DATASETS.get(data.name)
    if entry and entry.kind != data.encoding.metadata()["kind"]:  # own data of the same name
        entry = None
    sizes = (entry.batch_size, entry.outer_steps) if entry else (BATCH_SIZE, OUTER_STEPS)
    named = {"dataset": data.name, "model": choice.name, "data_dir": ".", "run_dir": "."}
    named["use"] = entry.use if entry else "training"
    return complete(prepared(given), named, choice.defaults, len(data.classes), *sizes)
