"""The results of a run in numbers and words, with the code, device and memory behind them."""

import contextlib
import dataclasses
import datetime
import functools
import itertools
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.stats
import tensorflow as tf

from tf_distill.common import (
    __version__,
    accuracy_over,
    count,
    machine,
    output_names,
    spread_words,
)
from tf_distill.config import PLACES, Config
from tf_distill.core import Accuracy, Distillation, Evaluated, Samples, recipe_words
from tf_distill.datasets import DATASETS, Dataset, TextEncoding, class_counts
from tf_distill.report import Record, weakest_classes

CONFUSED = 300
"""Classes above which no confusion matrix is kept, which would fill the file."""
FEW_LOSSES, GUESSING = 20, 0.98
"""Outer steps, and the share of a guesser's loss, from which a loss is told to be like guessing."""


def summarize(
    config: Config,
    dataset: Dataset,
    distillation: Distillation,
    before: Accuracy,
    after: Evaluated,
) -> dict[str, Any]:
    """The content of results.json; accuracies are fractions, of a quantity R2."""
    settings = dataclasses.asdict(config)
    skipped = int(distillation.guard.skipped)
    return {
        **{name: value for name, value in settings.items() if name not in PLACES},
        "recipe": recipe_words(settings, distillation.distilled.samples),
        "distilled_samples": config.steps * config.samples_per_step,
        "learned_lr": distillation.distilled.samples.lr.numpy().tolist(),
        "seconds": round(float(distillation.seconds), 1),
        "test_examples": len(dataset.y_test),
        "accuracy_before": before._asdict(),
        "accuracy": after.accuracy._asdict(),
        **_of_task(after, dataset),
        **({"skipped_steps": skipped} if skipped else {}),
        "peak_memory_mb": peak_memory(),
        "device": device(),
        "commit": commit(),
        **versions(),
    }


def _of_task(tested: Evaluated, dataset: Dataset) -> dict[str, Any]:
    """What is told of classes alone, or of a quantity alone."""
    if dataset.target:
        rmse = tested.rmse(dataset.y_test)._asdict()
        return {"target": dataset.target._asdict(), "rmse": rmse}
    told: dict[str, Any] = {"class_examples": class_counts(dataset.classes, dataset.y_train)}
    if len(dataset.classes) <= CONFUSED:  # `Record` works out the accuracy of each class from it
        confusion = tested.confusion(dataset.y_test, len(dataset.classes))
        told["confusion"] = confusion.tolist()
    return told


def describe_results(results: dict[str, Any], config: Config) -> str:
    """The outcome in a few lines for a person."""
    record = Record(Path(), {}, results)
    before, after = results["accuracy_before"], results["accuracy"]
    untrained = f"untrained: {before['mean']:.4f}"
    beside = f"{untrained}, {record.majority.words}" if record.majority else untrained
    weakest = f"{told}\n" if (told := weakest_classes(record.by_class)) else ""
    rmse = f", RMSE {spread_words(**results['rmse'])}" if "rmse" in results else ""
    skipped = ""
    if number := results.get("skipped_steps"):
        skipped = f"{number} outer steps were skipped: loss or gradient was NaN or infinite\n"
    return (
        f"{record.measure} {accuracy_over(**after)}{rmse} on {results['test_examples']} "
        f"{results['eval_split'].replace('_', '-')} examples ({beside}), "
        f"{count(results['distilled_samples'], 'distilled sample', 'distilled samples')}, "
        f"{results['seconds']:.0f} s\n{weakest}trained by {results['recipe']}\n"
        f"{skipped}report.html, set/1 (the set, also as a SavedModel in distilled/1) and model/1 "
        f"(the network that it trains) are in {config.run_dir}"
    )


LAYER_SETTINGS = ("filters", "units", "size", "kernel_size", "pool_size", "strides", "padding",
                  "activation", "epsilon", "rate", "unit_forget_bias")  # fmt: skip


def describe_use(config: Config) -> str:
    """What the set is for, and why, in a line for a person."""
    entry = DATASETS.get(config.dataset)
    own = "own data" if entry is None else config.dataset
    usual = "training" if entry is None else entry.use
    why = f"the default for {own}" if config.use == usual else "as asked"
    other = "training" if config.use == "replay" else "replay"
    what = {
        "training": "the set serves any ordinary training",
        "replay": "the set serves in its own steps alone",
    }
    return f"use={config.use}, {why}: {what[config.use]}; for the other way use={other}"


def still_guessing(losses: Sequence[float], dataset: Dataset, config: Config) -> str:
    """A line for a person if the last of these outer losses are still that of guessing; or "".

    Who guesses the classes by their shares among the training examples has their entropy as loss;
    of a quantity the mean has a squared error of 1. A few losses tell nothing.
    """
    entropy = scipy.stats.entropy
    guess = 1.0 if dataset.target else float(entropy(np.bincount(dataset.y_train)))
    found = float(np.mean(losses[-max(1, len(losses) // 2) :]))
    if len(losses) < FEW_LOSSES or found < GUESSING * guess:
        return ""
    real = "" if config.sample_init != "normal" else "sample_init=real, "
    return (
        f"after {len(losses)} of {config.outer_steps} outer steps the loss is still that of "
        f"guessing ({found:.3f}, guessing has {guess:.3f}); what often helps: {real}"
        f"inner_lr={5 * config.inner_lr:g} or inner_lr={config.inner_lr / 5:g}, "
        "a smaller outer_lr with outer_momentum=0.9"
    )


def describe_set(
    config: Config,
    dataset: Dataset,
    samples: Samples,
    tested: Evaluated,
    network: keras.Model,
    texts: np.ndarray | None = None,
) -> dict[str, Any]:
    """The metadata of the exported set: the meaning of its numbers, and its accuracy.

    `texts`, bytes `[M]`, are what people wrote, if the samples are real texts.
    """
    names = ("dataset", "use", "init", "labels", "learn", "steps", "epochs", "inner_optimizer",
             "augment", "seed", "keep")  # fmt: skip
    described = {name: getattr(config, name) for name in names}
    described |= {"network": config.model, "classes": dataset.classes}
    described |= {"sample_scale": config.sample_scale} if config.sample_scale != 1 else {}
    described |= {"recipe": recipe_words(described, samples)}
    described |= {"accuracy": tested.accuracy._asdict(), "eval_split": config.eval_split}
    if dataset.target:
        described |= {"target": dataset.target._asdict()}
        described |= {"rmse": tested.rmse(dataset.y_test)._asdict()}
    described |= {"test_examples": len(dataset.y_test), "date": f"{datetime.date.today()}"}
    described |= {"versions": versions(), "layers": layers_in_words(network)}
    described |= {"license": dataset.license} if dataset.license else {}
    described["input"] = dataset.encoding.metadata()
    if isinstance(dataset.encoding, TextEncoding):
        at_scale = samples._replace(x=samples.x / config.sample_scale)
        written = sentences(at_scale, dataset.encoding, dataset.classes, texts)
        described["sentences"] = written.splitlines()
    return described


def versions() -> dict[str, str]:
    """What a run was made with."""
    return {
        "tf_distill": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def layers_in_words(model: keras.Model) -> list[str]:
    """The layers of a network with their settings, first weights and shapes, in order."""
    return [_layer_in_words(layer) for layer in model.layers]


def _layer_in_words(layer: keras.Layer) -> str:
    config: dict[str, Any] = {}
    with contextlib.suppress(Exception):  # a layer of one's own may not describe itself
        config = layer.get_config()
        config = {**config.get("layer", {}).get("config", {}), **config}  # of both directions
    kind = type(layer)
    own = kind.__module__.startswith("tf_distill.") and kind.__doc__  # Keras's are well known
    told = [own.splitlines()[0].rstrip(".").lower()] if own else []
    settings = {name: config.get(name) for name in LAYER_SETTINGS}
    told += [f"{n} {v}" for n, v in settings.items() if _is_plain(v)]
    told += [f"{n} from {i}" for n, i in _initializers(config)]
    weights = [str(tuple(weight.shape)) for weight in layer.weights]
    told += [f"weights {' and '.join(weights)}"] if weights else []
    return f"{kind.__name__}: {', '.join(told)}" if told else kind.__name__


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | tuple)


def _initializers(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each kind of weight of a layer's config, and what draws it at the start."""
    for name, value in config.items():
        if name.endswith("_initializer") and isinstance(value, dict) and "class_name" in value:
            settings = {k: v for k, v in value.get("config", {}).items() if k != "seed"}
            told = ", ".join(f"{k} {v}" for k, v in settings.items() if _is_plain(v))
            what = name.removesuffix("_initializer").replace("_", " ")
            yield what, value["class_name"] + (f" ({told})" if told else "")


def sentences(
    samples: Samples,
    encoding: TextEncoding,
    classes: Sequence[str],
    texts: np.ndarray | None = None,
) -> str:
    """Every distilled sentence under its whole label (Table 6).

    It is given as its nearest words, or as people wrote it if the samples are the real `texts`.
    """
    lines = []
    number = itertools.count()
    for s, (x, y) in enumerate(zip(samples.x.numpy(), samples.y.numpy(), strict=True), 1):
        for j, (sentence, label) in enumerate(zip(x, y, strict=True), 1):
            names = output_names(classes, len(label))
            values = "  ".join(f"{n} {v:+.2f}" for n, v in zip(names, label, strict=True))
            i = next(number)
            real = None if texts is None else " ".join(texts[i].decode(errors="replace").split())
            words = real or " ".join(encoding.decode(sentence))
            lines += [f"step {s}, sentence {j}: {values}", words, ""]
    return "\n".join(lines)


def commit() -> str | None:
    """The short name of the checkout's commit, with a + if files differ; None if there is none.

    It is kept from the first call on: a checkout can change while its code runs.
    """
    return _commit_of(Path(__file__).resolve().parents[2])


@functools.cache
def _commit_of(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    name = _git(root, "rev-parse", "--short", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return name and name + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device() -> str:
    """The first GPU that TensorFlow computes on now, else "CPU"."""
    gpus = tf.config.get_visible_devices("GPU")
    if not (gpus and tf.config.list_logical_devices("GPU")):
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def peak_memory() -> int | None:
    """The most MB that this process has held; None if the system does not tell."""
    if held := machine.most_resident():
        return round(held / 2**20)
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
