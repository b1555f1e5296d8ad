"""Going through the outer steps of a run, with evaluations, checkpoints and a way to stop."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from tf_distill.callbacks import Callback
from tf_distill.checkpoints import Checkpoints
from tf_distill.config import Config
from tf_distill.errors import Interrupted
from tf_distill.evaluate import Accuracy
from tf_distill.folder import History, Metrics
from tf_distill.guard import check_learned, recover
from tf_distill.outer import Distillation
from tf_distill.progress import Progress
from tf_distill.signals import handling


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
