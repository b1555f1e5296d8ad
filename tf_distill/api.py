"""The Python interface: one call from data and a Keras model to a distilled set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill import frozen, inputs, limits, saved_set, schemas, starting_set
from tf_distill.callbacks import Callback
from tf_distill.config import Config
from tf_distill.datasets import DATASETS
from tf_distill.datasets.base import Dataset, refuse_stream
from tf_distill.defaults import complete
from tf_distill.distribution import Distribution
from tf_distill.errors import UserError, words_of_python
from tf_distill.experiment import Experiment, Finished, carry_out
from tf_distill.folder import Metrics, RunFolder
from tf_distill.in_folder import carry_out_once
from tf_distill.network_choice import Choice, Model, choose
from tf_distill.progress import say
from tf_distill.result import Result

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
        "start": starting_set.place(start),
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
        "run_dir": limits.folder("run_dir", run_dir),
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
    config, first = starting_set.of(config, data, learner, path)
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
    given = starting_set.without_what_it_brings(given)
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
    inputs.check(folder.path, _remembered(work, folder), now)

    def begin() -> None:
        choice.try_out(work.learner)
        inputs.remember(folder.path, now)
        frozen.remember(folder.path, work.learner.frozen)

    if finished := carry_out_once(work, folder, begin):
        return finished
    say(f"{folder.path} is finished; delete it, or name another run_dir, to run again")
    return _read(folder)


def _inputs(work: Experiment, choice: Choice) -> inputs.Inputs:
    """What the run depends on beside its settings; a name of the registry says all of a network."""
    shapes = [list(shape) for shape in work.learner.shapes]
    network = choice.fingerprint(work.learner)
    return {**inputs.of_data(work.dataset), "weights": shapes, **network}


def _remembered(work: Experiment, folder: RunFolder) -> inputs.Inputs:
    """What a folder remembers; of the command line's runs on named data, what it would load."""
    if not folder.begun:
        return {}
    before, config = inputs.recall(folder.path), work.config
    if before or config.dataset not in DATASETS:
        return before
    place = schemas.read(folder.path / "config.json").get("data_dir", config.data_dir)
    return inputs.of_data(DATASETS[config.dataset].load(Path(place), config.embeddings))


def _read(folder: RunFolder) -> Finished:
    loaded = saved_set.load(folder.path / "distilled" / "1")
    return Finished(
        loaded.samples,
        loaded.initial_weights,
        schemas.read(folder.path / "results.json"),
        loaded.metadata,
        schemas.read_metrics(folder.path / Metrics.FILE),
        loaded.frozen_weights,
    )
