"""One experiment from top to bottom."""

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tf_distill import __version__, datasets, figures, files, saved_set, servable
from tf_distill.config import PLACES, Config, resolve
from tf_distill.distill import Distillation, distill
from tf_distill.distilled import DistilledSet, initial_samples
from tf_distill.errors import Diverged
from tf_distill.evaluate import Accuracy, evaluator, test_networks
from tf_distill.folder import Metrics, RunFolder
from tf_distill.inner import Samples
from tf_distill.learner import Learner, fixed_network
from tf_distill.models import NETWORKS
from tf_distill.progress import Progress, say
from tf_distill.text import TextEncoding

CHECKPOINT_SECONDS = 120


class Interrupted(Exception):
    """The run was asked to stop, and has saved where it stands."""


def run(config: Config) -> dict[str, Any]:
    """Distills, evaluates, draws and exports; goes on where an earlier call was interrupted.

    Returns:
        What results.json holds.

    Raises:
        UserError: a mistake in the settings or in what they name.
        Interrupted: on SIGINT or SIGTERM.
    """
    dataset = load_dataset(config)
    folder = RunFolder(config)
    if results := folder.results():
        say(f"{folder.path} is finished; delete it, or name another --run_dir, to run again")
        return results
    learner = Learner(NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs))
    distillation = new_distillation(config, dataset)
    checkpoints = folder.checkpoints(distillation)
    if done := int(distillation.step):
        say(f"going on from outer step {done} of {folder.path}")

    test = evaluator(learner, dataset)

    def evaluate(samples: Samples | None) -> Accuracy:
        networks = test_networks(learner, config.init, config.eval_networks, config.seed)
        return test(samples, networks)

    metrics = Metrics(folder.path, done)
    steps = distill(
        distillation,
        learner,
        dataset,
        outer_steps=config.outer_steps,
        batch_size=config.batch_size,
        networks=config.networks,
        init=config.init,
        seed=config.seed,
    )
    outer_loop(config, distillation, steps, evaluate, checkpoints, metrics)

    samples = distillation.distilled.samples
    results = summarize(config, dataset, distillation, evaluate(None), evaluate(samples))
    draw(folder.path / "figures", distillation.distilled, dataset, metrics)
    weights = fixed_network(learner, config.seed) if config.init == "fixed" else []
    metadata = describe_set(config, dataset, samples)
    saved_set.save(folder.path / "distilled" / "1", samples, weights, metadata)
    model = servable.trained(learner, samples, dataset, config.init, config.seed)
    servable.write(folder.path / "model" / "1", model)
    files.write_json(folder.path / "results.json", results)
    return results


def configure(given: dict[str, Any]) -> Config:
    """The complete settings of a run, from those that were given."""
    return resolve(given, datasets.DATASETS, NETWORKS)


def load_dataset(config: Config) -> datasets.Dataset:
    """The dataset of a run, with the split that it is evaluated on as its test split."""
    embeddings = Path(config.embeddings) if config.embeddings else None
    dataset = datasets.DATASETS[config.dataset].load(Path(config.data_dir), embeddings)
    return datasets.hold_out(dataset, config.seed) if config.eval_split == "held_out" else dataset


def new_distillation(config: Config, dataset: datasets.Dataset) -> Distillation:
    """The state that every run of these settings begins with."""
    samples = initial_samples(
        dataset.encoding.shape,
        len(dataset.classes),
        steps=config.steps,
        samples_per_step=config.samples_per_step,
        epochs=config.epochs,
        inner_lr=config.inner_lr,
        label_init=config.label_init,
        seed=config.seed,
    )
    distilled = DistilledSet(samples, soft=config.labels == "soft")
    return Distillation(distilled, config.outer_lr, config.outer_steps)


def outer_loop(
    config: Config,
    distillation: Distillation,
    steps: Iterator[tuple[int, float]],
    evaluate: Callable[..., Accuracy],
    checkpoints: tf.train.CheckpointManager,
    metrics: Metrics,
) -> None:
    """Goes through all outer steps, with an evaluation and a checkpoint every so often."""
    progress = Progress(config.outer_steps, int(distillation.step))
    saved = time.monotonic()
    for step, loss in timed(distillation, stoppable(progress.steps(steps), checkpoints)):
        check_finite(step, loss, config)
        due = step % config.eval_every == 0 or step == config.outer_steps
        values = {"loss": loss}
        if due:
            values["accuracy"] = evaluate(distillation.distilled.samples).mean
            progress.accuracy(values["accuracy"])
        metrics.write(step, **values)
        if due or time.monotonic() - saved > CHECKPOINT_SECONDS:
            checkpoints.save()
            saved = time.monotonic()


def timed(distillation: Distillation, steps: Iterator) -> Iterator:
    """Counts the time of the loop, evaluations too, into what is saved."""
    started = time.monotonic()
    for item in steps:
        yield item
        distillation.seconds.assign_add(time.monotonic() - started)
        started = time.monotonic()


def stoppable(steps: Iterator, checkpoints: tf.train.CheckpointManager) -> Iterator:
    """Ends the loop after the step at which SIGINT or SIGTERM came, with a checkpoint."""
    asked = []
    before = {
        s: signal.signal(s, lambda *_: asked.append(1)) for s in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        for item in steps:
            yield item
            if asked:
                checkpoints.save()
                raise Interrupted(f"stopped after outer step {item[0]}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_finite(step: int, loss: float, config: Config) -> None:
    """Raises Diverged where the loss is no number any more."""
    if not math.isfinite(loss):
        raise Diverged(
            f"the loss is {loss} at outer step {step}; lower --inner_lr (now {config.inner_lr}) or "
            f"--outer_lr (now {config.outer_lr}) and begin again in another --run_dir"
        )


def summarize(
    config: Config,
    dataset: datasets.Dataset,
    distillation: Distillation,
    before: Accuracy,
    after: Accuracy,
) -> dict[str, Any]:
    """What results.json holds; accuracies are fractions."""
    settings = dataclasses.asdict(config)
    return {
        **{name: value for name, value in settings.items() if name not in PLACES},
        "distilled_samples": config.steps * config.samples_per_step,
        "learned_lr": distillation.distilled.samples.lr.numpy().tolist(),
        "seconds": round(float(distillation.seconds), 1),
        "test_examples": len(dataset.y_test),
        "accuracy_before": before._asdict(),
        "accuracy": after._asdict(),
        "tf_distill": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def draw(path: Path, distilled: DistilledSet, dataset: datasets.Dataset, metrics: Metrics) -> None:
    """The run's figures, and for text the decoded sentences."""
    path.mkdir(exist_ok=True)
    samples = distilled.samples
    figures.save(figures.draw_history(metrics.read()), path / "history.png")
    if isinstance(dataset.encoding, TextEncoding):
        figures.save(figures.draw_embeddings(samples, dataset.classes), path / "embeddings.png")
        files.write_text(
            path / "sentences.txt", sentences(samples, dataset.encoding, dataset.classes)
        )
    else:
        figures.save(figures.draw_images(samples, dataset.classes), path / "images.png")


def describe_set(config: Config, dataset: datasets.Dataset, samples: Samples) -> dict[str, Any]:
    """The metadata of the exported set: what its numbers mean."""
    names = ("dataset", "init", "labels", "steps", "epochs", "seed")
    described = {name: getattr(config, name) for name in names}
    described |= {"network": config.model, "classes": dataset.classes}
    described["input"] = dataset.encoding.metadata()
    if isinstance(dataset.encoding, TextEncoding):
        described["sentences"] = sentences(samples, dataset.encoding, dataset.classes).splitlines()
    return described


def describe(results: dict[str, Any], config: Config) -> str:
    """The outcome in two lines for a person."""
    before, after = results["accuracy_before"], results["accuracy"]
    spread = (
        f" +- {after['std']:.4f} over {after['networks']} networks" if after["networks"] > 1 else ""
    )
    return (
        f"accuracy {after['mean']:.4f}{spread} on {results['test_examples']} "
        f"{results['eval_split'].replace('_', '-')} examples (untrained: {before['mean']:.4f}), "
        f"{results['distilled_samples']} distilled samples, {results['seconds']:.0f} s\n"
        f"results, figures and the distilled set are in {config.run_dir}"
    )


def sentences(samples: Samples, encoding: TextEncoding, classes: Sequence[str]) -> str:
    """Every distilled sentence as its nearest words, under its whole label (Table 6)."""
    lines = []
    for s, (x, y) in enumerate(zip(samples.x.numpy(), samples.y.numpy(), strict=True), 1):
        for j, (sentence, label) in enumerate(zip(x, y, strict=True), 1):
            names = classes[-len(label) :]
            values = "  ".join(f"{n} {v:+.2f}" for n, v in zip(names, label, strict=True))
            lines += [
                f"step {s}, sentence {j}: {values}",
                " ".join(encoding.decode(sentence)),
                "",
            ]
    return "\n".join(lines)
