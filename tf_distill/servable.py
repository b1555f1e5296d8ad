"""Trained models on disk: written by a run, exported from its folder."""

import shutil
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill import datasets, export_check, files, saved_set, schemas, serving, versions, warmup
from tf_distill.compiled import compiled
from tf_distill.datasets.arrays import ArrayEncoding
from tf_distill.datasets.images import ImageEncoding
from tf_distill.encoding import Encoding
from tf_distill.errors import UserError
from tf_distill.evaluate import test_networks
from tf_distill.inner import Samples, train
from tf_distill.learner import Learner, Weights

FROM_METADATA = {"image": ImageEncoding, "array": ArrayEncoding}
"""Encodings that a set's metadata tells all of."""
CLASSIFY_METHOD = "tensorflow/serving/classify"


def write(path: Path, classifier: serving.Classifier) -> None:
    """Writes a servable SavedModel, whole or not at all.

    Raises:
        UserError: TensorFlow Serving could not run it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(path) as part:
        signatures = classifier.signatures()
        tf.saved_model.save(classifier, str(part), signatures=signatures)
        if serving.CLASSIFY in signatures:
            _name_classify(part)
        export_check.check(part)
        warmup.write(part)


def trained(
    learner: Learner, samples: Samples, dataset: datasets.Dataset, init: str, seed: int
) -> serving.Classifier:
    """The classifier that the set trains: of the run's network, or its first random one."""
    weights = _fit(learner, samples, _first_network(learner, init, seed))
    return serving.classifier(learner, weights, dataset.classes, dataset.encoding)


def export_run(run_dir: Path, export_dir: Path) -> Path:
    """Adds the trained model of a finished run to `export_dir`, as its next version.

    Returns:
        The new version's folder.

    Raises:
        UserError: the run has no distilled set, or the folder can't be written.
    """
    model = run_dir / "model" / "1"
    if model.is_dir():
        return versions.publish(export_dir, lambda part: _copy(model, part))
    classifier = rebuild(run_dir)
    return versions.publish(export_dir, lambda part: write(part, classifier))


def rebuild(run_dir: Path) -> serving.Classifier:
    """The classifier of a run that has a distilled set only: trained again, in seconds.

    For text it needs the dataset and the word vectors where the run's config.json says.
    """
    loaded = saved_set.load(run_dir / "distilled" / "1")
    learner = Learner(loaded.network())
    described = loaded.metadata
    start = loaded.initial_weights or _first_network(learner, "random", described["seed"])
    weights = _fit(learner, loaded.samples, start)
    return serving.classifier(learner, weights, described["classes"], _encoding(described, run_dir))


def _first_network(learner: Learner, init: str, seed: int) -> Weights:
    return next(iter(test_networks(learner, init, 1, seed)))


def _fit(learner: Learner, samples: Samples, start: Weights) -> Weights:
    return compiled(train)(learner, samples, start)


def _encoding(described: dict[str, Any], run_dir: Path) -> Encoding:
    kind = described["input"]
    if kind["kind"] in FROM_METADATA:
        numbers = (tuple(kind[name]) for name in ("shape", "mean", "std"))
        return FROM_METADATA[kind["kind"]](*numbers)
    encoding = _load_dataset(described["dataset"], run_dir / "config.json").encoding
    if list(encoding.metadata()["vocabulary"]) != kind["vocabulary"]:
        raise UserError(
            f"the words of {described['dataset']} and its word vectors are not those that "
            f"{run_dir} was made with; put the data_dir and embeddings of its config.json back"
        )
    return encoding


def _load_dataset(name: str, config: Path) -> datasets.Dataset:
    """The dataset from where a run's config.json says that it lies."""
    if name not in datasets.DATASETS and not datasets.is_own(name):
        raise UserError(
            f"{config.parent} has no model/, and its texts, {name!r}, are known to Python alone; "
            "call tf_distill.distill as before, with the same run_dir, and export() of its result"
        )
    try:
        settings = schemas.read(config)
        places = {key: settings[key] for key in ("data_dir", "embeddings")}
    except KeyError as error:
        raise UserError(
            f"{config} is missing, or has no {error}; it says where the word vectors are; "
            "expected the whole folder of a run"
        ) from error
    return datasets.load({**settings, **places, "dataset": name})


def _copy(model: Path, part: Path) -> None:
    shutil.copytree(model, part)
    export_check.check(part)
    warmup.write(part)


def _name_classify(model: Path) -> None:
    """Names the method of the signature `classify`, which TensorFlow 2 calls predict."""
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(model))
    updater.replace_method_name(serving.CLASSIFY, CLASSIFY_METHOD, tags="serve")
    updater.save()
