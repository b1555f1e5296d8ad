"""Carrying a run out: the outer steps with their evaluations and checkpoints, and the result."""

import dataclasses
import functools
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from tf_distill.common import (
    Interrupted,
    Progress,
    Stream,
    UserError,
    WorkerLost,
    counted,
    measure_of,
    numpy_generator,
    read_metrics,
    say,
)
from tf_distill.config import Config
from tf_distill.core import (
    Accuracy,
    Callback,
    Distillation,
    DistilledSet,
    Evaluated,
    KeepBest,
    Learner,
    Samples,
    distill,
    evaluator,
    fixed_network,
    initial_samples,
    outer_graph,
    outer_update,
    parallel,
    real_starts,
    task_of,
    test_networks,
    usual_labels,
)
from tf_distill.datasets import Dataset, hold_out
from tf_distill.export import (
    LoadedSet,
    load,
    saved_model,
    servable,
    set_folder,
    word_vectors,
)
from tf_distill.report import report
from tf_distill.runs import duration, memory, results
from tf_distill.runs.folder import Checkpoints, Metrics, handling
from tf_distill.runs.run import Run

DONE, TO_DO = 0, 1
"""What the chief tells the other workers about the run."""
NETWORKS_ON_THE_WAY = {"replay": 20, "training": 3}
"""At most so many networks test the set on the way, and are tested untrained."""
TRIED = 32
"""Examples to try out a user's network with."""
LEARNED = {"samples": "x", "rates": "lr", "labels": "y"}
"""The variables that `learn` names, in the order of the optimizer's moments."""
BOUND = 4.0
"""The most that the learned rate of ordinary training grows to, over its start."""
CERTAINTY = 0.9
"""The probability of a sample's own class, at the start."""
Evaluate = Callable[[Samples | None, int], Evaluated]


class Finished(NamedTuple):
    """A finished run.

    distilled: the set; results: the content of results.json; history: loss and accuracy by outer
    step.
    """

    distilled: LoadedSet
    results: dict[str, Any]
    history: list[dict[str, float]]


def carry_out(run: Run) -> Finished | None:
    """Distills, evaluates, draws and exports; continues where an earlier call was interrupted.

    Args:
        run: the run. Of several workers only the chief evaluates and writes.

    Returns:
        The finished run, read from its folder if it had ended before; None on other workers.

    Raises:
        UserError: a mistake in the settings, or another run in the folder.
        Diverged: loss or gradient is NaN or infinite, again and again.
        WorkerLost: another worker is gone; there is a checkpoint then.
        Interrupted: on SIGINT or SIGTERM, if there is a folder.
    """
    say(results.describe_use(run.config))
    run.check()
    shared = run.distribution
    with shared.watched():
        if shared.workers > 1:
            shared.check_same(f"{run.config.deciding()} {run.inputs}")
        finished = None
        if shared.chief:
            finished = _of_chief(run)
        elif shared.share(DONE) == TO_DO:
            _distilled(run)
        shared.wait()
    return finished


def _of_chief(run: Run) -> Finished:
    if not run.files.read("results.json"):
        with run.files.locked():
            if run.files.begun != run.begun:
                raise UserError(
                    f"another process changed {run.files.path} during start-up; run the command "
                    "again"
                )
            if not run.files.read("results.json"):
                run.distribution.share(TO_DO)
                results.commit()  # asked early, as the code is now
                some = run.dataset.x_train[:TRIED]
                run.choice.try_out(run.learner, run.dataset.encoding(some))
                finished = _distilled(run)
                write(run, finished)
                return finished
    run.distribution.share(DONE)
    say(f"{run.files.path} is finished; delete the folder, or name another one, to run again")
    return finished_run(run)


def write(run: Run, finished: Finished) -> None:
    """Keeps the results and, if there is a folder, the set, the trained model and a report."""
    path = run.files.path
    if path:
        set_folder.write(path / "set" / "1", finished.distilled)
        saved_model.write(path / "distilled" / "1", finished.distilled)
        write_model(run, finished.distilled.samples, path / "model" / "1")
    run.files.write("results.json", finished.results)
    if path:
        report.write(path)


def write_model(run: Run, samples: Samples, path: Path) -> None:
    """Trains the network on the set and writes it as a servable SavedModel."""
    config = run.config
    model = servable.trained(
        run.learner, samples, run.dataset, config.init, config.seed, run.recipe
    )
    servable.write(path, model)


def finished_run(run: Run) -> Finished:
    """The finished run of a folder; its report is drawn again if it is gone.

    Raises:
        UserError: parts of it are gone or damaged.
    """
    path = run.files.path
    assert path  # without a folder nothing is finished before it is carried out
    if gone := [name for name in ("distilled/1", "model/1") if not (path / name).is_dir()]:
        raise UserError(
            f"{path} no longer has {' and '.join(gone)}; put that back, or delete results.json: "
            "then the same command writes all again from the last checkpoint"
        )
    if not (path / report.NAME).exists():
        report.write(path)
    history = read_metrics(path / Metrics.FILE)
    distilled = dataclasses.replace(load(path), build=run.choice.build)
    return Finished(distilled, run.files.read("results.json"), history)


def _distilled(run: Run) -> Finished:
    """Distills and evaluates; continues from the newest checkpoint."""
    config, shared = run.config, run.distribution
    near = hold_out(run.dataset, config.seed) if config.keep == "best" else run.dataset
    state = new_distillation(config, near, run.learner)
    best = None
    if config.keep == "best":
        best = KeepBest(state.distilled.samples, config.early_stopping)
        state.best = best  # so that checkpoints hold it
    checkpoints = _restored(run, state)
    evaluate = evaluation(run, run.dataset)
    nearby = evaluation(run, near) if best else evaluate
    metrics = run.files.metrics(int(state.step)) if shared.chief else Metrics()

    def evaluate_on_chief(samples: Samples) -> Accuracy:  # so that all workers stop together
        networks = _few(config)
        nothing = Accuracy(0.0, 0.0, networks)
        own = nearby(samples, networks).accuracy if shared.chief else nothing
        mean, std, _ = shared.share(own)
        return Accuracy(float(mean), float(std), networks)

    if best and run.start and not int(state.step):  # the set to start from may stay the best
        best.begin(state.distilled, evaluate_on_chief(state.distilled.samples).mean)
    callbacks = [*run.callbacks, *([best] if best else [])]
    try:
        outer_loop(run, state, near, evaluate_on_chief, checkpoints, metrics, callbacks)
    except WorkerLost:
        if checkpoints:  # the set is as after the last step that all have done
            checkpoints.save()
        raise
    stopped = int(state.step)
    if best:
        best.go_back(state.distilled)
    finished = _finish(run, state, evaluate, metrics)
    finished.results["batch_size"] = run.step.real(near)  # as it was
    if stopped < config.outer_steps:
        finished.results["stopped_after"] = stopped
    if best:
        finished.results["kept_step"] = int(best.step)
    return finished


def _restored(run: Run, state: Distillation) -> Checkpoints | None:
    """Restores the state, or sets it to `start`, on all workers; gives the folder's checkpoints."""
    checkpoints = None
    if run.distribution.chief:
        checkpoints = run.files.checkpoints(state, run.config, run.inputs, run.learner.frozen)
        if run.start and not (checkpoints and checkpoints.found):
            state.distilled.set(run.start())
    if run.distribution.workers > 1:
        state.take(run.distribution.share(state.values()))
    if run.distribution.chief and run.begun:
        done, path = int(state.step), run.files.path
        say(f"continuing from outer step {done} of {path}" if done else f"{path} begins again")
    return checkpoints


def _few(config: Config) -> int:
    """How many networks test, except for the result."""
    return min(config.eval_networks, NETWORKS_ON_THE_WAY[config.use])


def evaluation(run: Run, dataset: Dataset) -> Evaluate:
    """A function that trains networks on samples, or for None does not, and tests them."""
    test = evaluator(run.learner, dataset, run.recipe)

    def evaluate(samples: Samples | None, networks: int) -> Evaluated:
        weights = test_networks(run.learner, run.config.init, networks, run.config.seed)
        return test(samples, counted(weights, networks, "tested {} of {} networks"))

    return evaluate


def outer_loop(
    run: Run,
    state: Distillation,
    dataset: Dataset,
    evaluate: Callable[[Samples], Accuracy],
    checkpoints: Checkpoints | None,
    metrics: Metrics,
    callbacks: Sequence[Callback],
) -> None:
    """Goes through all outer steps, with an evaluation and a checkpoint every so often.

    Args:
        run: the run.
        state: is updated by the steps.
        dataset: whose training split is distilled.
        evaluate: the accuracy of samples.
        checkpoints: None to keep none; then signals do as usual.
        metrics: takes losses and accuracies.
        callbacks: called after each step; any of them can end the loop.

    Raises:
        Diverged: too many steps had a NaN or infinite loss or gradient.
        Interrupted: on SIGINT or SIGTERM in a step, after a checkpoint, if these are kept.
        KeyboardInterrupt: on either in an evaluation; the last checkpoint stays.
    """
    config = run.config
    for callback in callbacks:
        callback.distilled = state.distilled
    progress = Progress(config.outer_steps, int(state.step), measure_of(dataset.target))
    early, tenth = [], math.ceil(config.outer_steps / 10)
    saved = time.monotonic()
    steps = _until_stopped(_outer_steps(run, state, dataset), callbacks)
    for step, loss in _timed(state, _stoppable(progress.steps(steps), checkpoints)):
        state.guard.check(step, step == config.outer_steps, config.inner_lr, config.outer_lr)
        due = step % config.eval_every == 0 or step == config.outer_steps
        values = {"loss": loss}
        if step <= tenth:
            early.append(loss)
        if step == tenth and (advice := results.still_guessing(early, dataset, config)):
            say(advice)
        if due:  # a signal ends an evaluation at once, as that can take minutes
            with handling(signal.default_int_handler, checkpoints):
                values["accuracy"] = evaluate(state.distilled.samples).mean
            values["seconds"] = round(float(state.seconds), 1)
            progress.accuracy(values["accuracy"])
        metrics.write(step, **{k: v for k, v in values.items() if math.isfinite(v)})
        for callback in callbacks:
            callback.on_outer_step_end(step, dict(values))
        if checkpoints and (due or time.monotonic() - saved > 60 * config.checkpoint_minutes):
            checkpoints.save()
            saved = time.monotonic()


def _outer_steps(run: Run, state: Distillation, dataset: Dataset) -> Iterator[tuple[int, float]]:
    """The outer steps that are left to do, each with its loss."""
    config = run.config
    with run.distribution.watched():
        update = outer_update(state, run.learner, dataset, run.step, run.distribution)
        graph = outer_graph(update, dataset, run.step)
        found = memory.estimate_memory(graph, run.learner, dataset, config)
        say(memory.check_memory(found, config))
        if config.jit_compile and int(state.step) < config.outer_steps:
            say("XLA compiles the outer step now, which can take minutes")
        yield from distill(state, update, dataset, run.step, config.outer_steps)


def _until_stopped(steps: Iterator, callbacks: Sequence[Callback]) -> Iterator:
    """Ends the loop after the step at which a callback asked for it."""
    if any(callback.stop for callback in callbacks):  # in an earlier part of the run
        return
    for item in steps:
        yield item
        if any(callback.stop for callback in callbacks):
            return


def _timed(state: Distillation, steps: Iterator) -> Iterator:
    """Adds the time of the loop, evaluations too, to the state."""
    started = time.monotonic()
    for item in steps:
        yield item
        state.seconds.assign_add(time.monotonic() - started)
        started = time.monotonic()


def _stoppable(steps: Iterator, checkpoints: Checkpoints | None) -> Iterator:
    """Ends the loop after the step at which SIGINT or SIGTERM came, with a checkpoint."""
    asked: list[int] = []
    with handling(lambda number, _: asked.append(number), checkpoints):
        for item in steps:
            yield item
            if checkpoints and asked:
                checkpoints.save()
                raise Interrupted(f"stopped after outer step {item[0]}")


def describe_estimate(run: Run) -> str:
    """The memory and the time that the run would take, in words; runs a few steps to time them.

    Raises:
        UserError: there is not enough memory.
    """
    began, config, dataset = time.monotonic(), run.config, run.dataset
    state = new_distillation(config, dataset, run.learner)
    evaluate = evaluation(run, dataset)  # it holds the test data, as in a run
    update = outer_update(state, run.learner, dataset, run.step)
    graph = outer_graph(update, dataset, run.step)
    found = memory.estimate_memory(graph, run.learner, dataset, config)
    say(memory.describe_memory(found, config))
    say(memory.check_memory(found, config))
    few, so_far = _few(config), time.monotonic() - began
    together = min(few, parallel.at_once())
    measured = duration.measure(
        functools.partial(next, distill(state, update, dataset, run.step, config.outer_steps)),
        lambda: evaluate(state.distilled.samples, together),
        config.outer_steps,
        together,
    )
    measured = measured._replace(start=so_far + measured.start)  # a run does all of this too
    return duration.describe_time(measured, config, few)


def _finish(run: Run, state: Distillation, evaluate: Evaluate, metrics: Metrics) -> Finished:
    """The last evaluation, with the results."""
    config, dataset, learner = run.config, run.dataset, run.learner
    samples = state.distilled.samples
    kept = "samples" not in config.learn.split(",") and not config.start
    texts = state.texts if kept else None
    before = evaluate(None, _few(config)).accuracy
    after = evaluate(samples, config.eval_networks)
    distilled = LoadedSet(
        samples,
        fixed_network(learner, config.seed) if config.init == "fixed" else [],
        results.describe_set(config, dataset, samples, after, learner.model, texts),
        run.choice.build,
        [tf.constant(value) for value in learner.frozen],
        word_vectors(dataset.encoding),
    )
    summary = results.summarize(config, dataset, state, before, after)
    on_the_way = [m for m in metrics.lines if {"accuracy", "seconds"} <= m.keys()]
    names = ("step", "seconds", "accuracy")
    summary["evaluations"] = {name: [m[name] for m in on_the_way] for name in names}
    return Finished(distilled, summary, metrics.lines)


def new_distillation(config: Config, dataset: Dataset, learner: Learner) -> Distillation:
    """The state that a run of these settings begins with.

    Raises:
        UserError: there is not enough memory for it.
    """
    memory.check_set(config, dataset)
    real, size = None, config.steps * config.samples_per_step
    if make := real_starts(learner).get(config.sample_init):
        real = make(dataset, size, numpy_generator(config.seed, Stream.SAMPLES))
    labels = real.y if real else usual_labels(dataset, size)
    samples = initial_samples(
        dataset.encoding.shape,
        task_of(dataset).encode(labels).numpy(),
        steps=config.steps,
        samples_per_step=config.samples_per_step,
        epochs=config.epochs,
        inner_lr=config.inner_lr,
        label_init=config.label_init,
        certainty=CERTAINTY if config.labels == "probabilities" else 1.0,
        seed=config.seed,
        scale=config.sample_scale,
        real=real and real.x,
    )
    training = config.use == "training"
    distilled = DistilledSet(
        samples,
        [variable for name, variable in LEARNED.items() if name in config.learn.split(",")],
        probabilities=config.labels == "probabilities",
        growth=BOUND if training else None,
    )
    state = Distillation(
        distilled, config.outer_lr, config.outer_steps, config.outer_momentum, usual=training
    )
    if real and real.places is not None and dataset.raw_train is not None:
        state.texts = dataset.raw_train[real.places]
    return state
