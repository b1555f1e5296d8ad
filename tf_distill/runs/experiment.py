"""One distillation with its evaluations: what the program and the Python interface share."""

import contextlib
import dataclasses
import math
import signal
import tensorflow as tf
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from tf_distill.runs.results import describe_set, summarize
from tf_distill.common import Interrupted, Progress, Stream, WorkerLost, counted, numpy_generator, say
from tf_distill.config import Config
from tf_distill.core import Accuracy, Callback, Distillation, DistilledSet, Distribution, KeepBest, Learner, REAL, Samples, Weights, check_step, distill, evaluator, fixed_network, initial_samples, outer_graph, real_batch, test_networks
from tf_distill.core.nonfinite import check_learned, recover
from tf_distill.datasets.base import Dataset, hold_out
from tf_distill.runs import memory, results
from tf_distill.runs.checkpoints import Checkpoints, handling
from tf_distill.runs.folder import History, Metrics, RunFolder

NETWORKS_ON_THE_WAY = 20
"""At most, wherever the number is not the result: on the way, and untrained."""
LEARNED = {"soft": ("x", "lr", "y"), "hard": ("x", "lr")}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What is distilled, for what network, and what is watched on the way.

    config: all settings; learner: the network; dataset: its training split is distilled and
    its test split has the last word; callbacks: called after each outer step; distribution:
    the replicas that share the outer steps; start: gives the samples to begin with, None for
    new ones.
    """

    config: Config
    learner: Learner
    dataset: Dataset
    callbacks: Sequence[Callback] = ()
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    start: Callable[[], Samples] | None = None

    def check(self) -> None:
        """Raises UserError where an outer step can't be done as it is asked for."""
        config = self.config
        size = real_batch(config.batch_size, self.dataset)
        check_step(self.learner, size, config.networks, self.distribution, config.jit_compile)


class Finished(NamedTuple):
    """The outcome: samples, the fixed initial weights or [], and what is said of both.

    results: what results.json holds; metadata: that of the exported set; history: loss and
    accuracy by outer step; frozen: the weights of the network that stay as they are.
    """

    samples: Samples
    weights: Weights
    results: dict[str, Any]
    metadata: dict[str, Any]
    history: list[dict[str, float]]
    frozen: Weights


def carry_out(experiment: Experiment, folder: RunFolder | None = None) -> Finished:
    """Distills and evaluates; goes on from the newest checkpoint in a folder.

    Args:
        experiment: what to do.
        folder: None to write nothing to disk, as all workers of a cluster but the chief.

    Raises:
        Diverged: loss or gradient is no number, again and again.
        Interrupted: on SIGINT or SIGTERM, where there is a folder.
        WorkerLost: another worker of the cluster is gone; there is a checkpoint then too.
    """
    config, distribution = experiment.config, experiment.distribution
    keep_best = config.keep == "best"
    near = hold_out(experiment.dataset, config.seed) if keep_best else experiment.dataset
    distillation = new_distillation(config, near)
    callbacks = [*experiment.callbacks]
    best = None
    if keep_best:
        best = KeepBest(distillation.distilled.samples, config.early_stopping)
        distillation.best = best  # so that checkpoints hold it
        callbacks.append(best)
    checkpoints = _stand(experiment, distillation, folder)

    evaluate = evaluation(config, experiment.learner, experiment.dataset)
    nearby = evaluation(config, experiment.learner, near) if best else evaluate
    metrics = Metrics(folder.path, int(distillation.step)) if folder else History()

    def of_chief(samples: Samples) -> Accuracy:  # so that all workers stop at the same step
        networks = _few(config)
        own = nearby(samples, networks) if distribution.chief else Accuracy(0.0, 0.0, networks)
        mean, std, _ = distribution.share(own)
        return Accuracy(float(mean), float(std), networks)

    if best and experiment.start and not int(distillation.step):  # it may stay the best
        accuracy = of_chief(distillation.distilled.samples).mean
        best.begin(distillation.distilled, accuracy)
    steps = outer_steps(experiment, distillation, near)
    try:
        outer_loop(config, distillation, steps, of_chief, checkpoints, metrics, callbacks)
    except WorkerLost:
        if checkpoints:  # the set is as after the last step that all have done
            checkpoints.save()
        raise
    stopped = int(distillation.step)
    if best:
        best.go_back(distillation.distilled)
    finished = finish(experiment, distillation, evaluate, metrics)
    finished.results["batch_size"] = real_batch(config.batch_size, near)  # as it was
    if stopped < config.outer_steps:
        finished.results["stopped_after"] = stopped
    if best:
        finished.results["kept_step"] = int(best.step)
    return finished


def _stand(work: Experiment, state: Distillation, folder: RunFolder | None) -> Checkpoints | None:
    """Brings the state, on all workers, to where the run stands; gives the folder's checkpoints."""
    checkpoints = folder.checkpoints(state) if folder else None
    begins = not (checkpoints and checkpoints.checkpoints)
    if work.start and work.distribution.chief and begins:
        state.distilled.set(work.start())
        state.guard.keep()
    if work.distribution.workers > 1:
        state.take(work.distribution.share(state.values()))
    if folder and (done := int(state.step)):
        say(f"going on from outer step {done} of {folder.path}")
    return checkpoints


def _few(config: Config) -> int:
    """How many networks are enough for what is not the result."""
    return min(config.eval_networks, NETWORKS_ON_THE_WAY)


def evaluation(config: Config, learner: Learner, dataset: Dataset):
    """A function of samples, or None, and a number of networks to their accuracy."""
    test = evaluator(learner, dataset)

    def evaluate(samples: Samples | None, networks: int) -> Accuracy:
        weights = test_networks(learner, config.init, networks, config.seed)
        return test(samples, counted(weights, networks, "tested {} of {} networks"))

    return evaluate


def outer_steps(
    experiment: Experiment, distillation: Distillation, dataset: Dataset
) -> Iterator[tuple[int, float]]:
    """The outer steps that are still to do, each with its loss.

    Args:
        experiment: what to do.
        distillation: where it stands.
        dataset: whose training split is distilled.

    Raises:
        UserError: there is not enough memory for them.
        WorkerLost: another worker of the cluster is gone.
    """
    config, learner = experiment.config, experiment.learner

    def before(graph: tf.Graph) -> None:
        found = memory.estimate_memory(graph, learner, dataset, config)
        say(memory.check_memory(found, config))
        if config.jit_compile and int(distillation.step) < config.outer_steps:
            say("XLA compiles the outer step now, which can take minutes")

    with experiment.distribution.watched():
        yield from distill(
            distillation,
            learner,
            dataset,
            outer_steps=config.outer_steps,
            distribution=experiment.distribution,
            before=before,
            **_settings(config),
        )


def estimate(experiment: Experiment) -> memory.Estimate:
    """The memory that the experiment will take; nothing of it is run."""
    config, learner, dataset = experiment.config, experiment.learner, experiment.dataset
    distillation = new_distillation(config, dataset)
    _alive = evaluation(config, learner, dataset)  # it holds the test data, as in a run
    graph = outer_graph(distillation, learner, dataset, **_settings(config))
    return memory.estimate_memory(graph, learner, dataset, config)


def _settings(config: Config) -> dict[str, Any]:
    """Those of an outer step."""
    names = ("batch_size", "networks", "init", "seed", "jit_compile")
    return {name: getattr(config, name) for name in names}


def finish(
    experiment: Experiment, distillation: Distillation, evaluate, metrics: Metrics | History
) -> Finished:
    """The last evaluation, and everything in words."""
    config, dataset, learner = experiment.config, experiment.dataset, experiment.learner
    samples = distillation.distilled.samples
    before = evaluate(None, _few(config))
    after = evaluate(samples, config.eval_networks)
    results = summarize(config, dataset, distillation, before, after)
    weights = fixed_network(learner, config.seed) if config.init == "fixed" else []
    metadata = describe_set(config, dataset, samples, after)
    frozen = [tf.constant(value) for value in learner.frozen]
    return Finished(samples, weights, results, metadata, metrics.read(), frozen)


def new_distillation(config: Config, dataset: Dataset) -> Distillation:
    """The state that every run of these settings begins with.

    Raises:
        UserError: there is not enough memory for it.
    """
    memory.check_set(config, dataset)
    real = None
    if make := REAL.get(config.sample_init):
        rng = numpy_generator(config.seed, Stream.SAMPLES)
        real = make(dataset, config.steps * config.samples_per_step, rng)
    samples = initial_samples(
        dataset.encoding.shape,
        len(dataset.classes),
        steps=config.steps,
        samples_per_step=config.samples_per_step,
        epochs=config.epochs,
        inner_lr=config.inner_lr,
        label_init=config.label_init,
        seed=config.seed,
        scale=config.sample_scale,
        real=real,
    )
    distilled = DistilledSet(samples, LEARNED[config.labels])
    return Distillation(distilled, config.outer_lr, config.outer_steps, config.outer_momentum)


def outer_loop(
    config: Config,
    distillation: Distillation,
    steps: Iterator[tuple[int, float]],
    evaluate: Callable[..., Accuracy],
    checkpoints: Checkpoints | None,
    metrics: Metrics | History,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Goes through all outer steps, with an evaluation and a checkpoint every so often.

    Args:
        config: of the run.
        distillation: what the steps update.
        steps: give the number and the loss of each.
        evaluate: the accuracy of samples.
        checkpoints: None to keep none, and to leave signals alone.
        metrics: where losses and accuracies go.
        callbacks: called after each step; any of them can end the loop.

    Raises:
        Diverged: too many steps gave no numbers.
        Interrupted: on SIGINT or SIGTERM in a step, where checkpoints are kept, after one.
        KeyboardInterrupt: on either in an evaluation, which leaves the last checkpoint.
    """
    for callback in callbacks:
        callback.distilled = distillation.distilled
    progress = Progress(config.outer_steps, int(distillation.step))
    saved = time.monotonic()
    shown = progress.steps(until_stopped(steps, callbacks))
    for step, loss in timed(distillation, stoppable(shown, checkpoints)):
        recover(distillation.guard, step, config)
        due = step % config.eval_every == 0 or step == config.outer_steps
        values = {"loss": loss}
        if due:
            with interruptible(checkpoints):
                values["accuracy"] = evaluate(distillation.distilled.samples).mean
            progress.accuracy(values["accuracy"])
        metrics.write(step, **{k: v for k, v in values.items() if math.isfinite(v)})
        for callback in callbacks:
            callback.on_outer_step_end(step, dict(values))
        if checkpoints and (due or time.monotonic() - saved > 60 * config.checkpoint_minutes):
            checkpoints.save()
            saved = time.monotonic()
    check_learned(distillation.guard, int(distillation.step), config)


def until_stopped(steps: Iterator, callbacks: Sequence[Callback]) -> Iterator:
    """Ends the loop after the step at which a callback asked for it."""
    if any(callback.stop for callback in callbacks):  # in an earlier part of the run
        return
    for item in steps:
        yield item
        if any(callback.stop for callback in callbacks):
            return


def timed(distillation: Distillation, steps: Iterator) -> Iterator:
    """Counts the time of the loop, evaluations too, into what is saved."""
    started = time.monotonic()
    for item in steps:
        yield item
        distillation.seconds.assign_add(time.monotonic() - started)
        started = time.monotonic()


def stoppable(steps: Iterator, checkpoints: Checkpoints | None) -> Iterator:
    """Ends the loop after the step at which SIGINT or SIGTERM came, with a checkpoint."""
    asked: list[int] = []
    with handling(lambda number, _: asked.append(number), checkpoints):
        for item in steps:
            yield item
            if checkpoints and asked:
                checkpoints.save()
                raise Interrupted(f"stopped after outer step {item[0]}")


def interruptible(checkpoints: Checkpoints | None) -> contextlib.AbstractContextManager:
    """Lets SIGINT and SIGTERM end an evaluation at once: with many networks it takes minutes."""
    return handling(signal.default_int_handler, checkpoints)
