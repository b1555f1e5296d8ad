"""Trained models on disk: written by a run, exported from its folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf_distill import datasets
from tf_distill.common import UserError, read_checked, whole
from tf_distill.core import (
    GRADIENT_DESCENT,
    Learner,
    Optimizer,
    Samples,
    Weights,
    compiled,
    test_networks,
    train,
)
from tf_distill.datasets import ArrayEncoding, Encoding, ImageEncoding
from tf_distill.export import classifier, distilled_set, versions, warmup

FROM_METADATA = {"image": ImageEncoding, "array": ArrayEncoding}
"""Encodings that a set's metadata tells all of."""
CLASSIFY_METHOD = "tensorflow/serving/classify"


def write(path: Path, model: classifier.Classifier) -> None:
    """Writes a servable SavedModel, whole or not at all.

    Raises:
        UserError: TensorFlow Serving could not run it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        signatures = model.signatures()
        tf.saved_model.save(model, str(part), signatures=signatures)
        if classifier.CLASSIFY in signatures:
            _name_classify(part)
        check_servable(part)
        warmup.write(part)


def trained(
    learner: Learner,
    samples: Samples,
    dataset: datasets.Dataset,
    init: str,
    seed: int,
    optimizer: Optimizer = GRADIENT_DESCENT,
) -> classifier.Classifier:
    """The classifier that a set trains: the run's network, or the first of its random ones."""
    weights = _fit(learner, samples, _first_network(learner, init, seed), optimizer)
    return classifier.classifier(learner, weights, dataset.classes, dataset.encoding)


def export_run(run_dir: Path, export_dir: Path) -> Path:
    """Adds the trained model of a finished run to `export_dir`, as its next version.

    Returns:
        The new version's folder.

    Raises:
        UserError: the run has no distilled set, or the folder can't be written.
    """
    model = run_dir / "model" / "1"
    if model.is_dir():
        return versions.publish_version(export_dir, lambda part: _copy(model, part))
    rebuilt = rebuild(run_dir)
    return versions.publish_version(export_dir, lambda part: write(part, rebuilt))


def rebuild(run_dir: Path) -> classifier.Classifier:
    """The classifier of a run that has a distilled set only: trained again, in seconds.

    For text it needs the dataset and the word vectors where the run's config.json says.
    """
    loaded = distilled_set.load(run_dir / "distilled" / "1")
    learner = Learner(loaded.network())
    described = loaded.metadata
    start = loaded.initial_weights or _first_network(learner, "random", described["seed"])
    weights = _fit(learner, loaded.samples, start)
    return classifier.classifier(
        learner, weights, described["classes"], _encoding(described, run_dir)
    )


def _first_network(learner: Learner, init: str, seed: int) -> Weights:
    return next(iter(test_networks(learner, init, 1, seed)))


def _fit(
    learner: Learner, samples: Samples, start: Weights, optimizer: Optimizer = GRADIENT_DESCENT
) -> Weights:
    return compiled(lambda x, w: train(learner, x, w, optimizer))(samples, start)


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
        settings = read_checked(config)
        places = {key: settings[key] for key in ("data_dir", "embeddings")}
    except KeyError as error:
        raise UserError(
            f"{config} is missing, or has no {error}; it says where the word vectors are; "
            "expected the whole folder of a run"
        ) from error
    return datasets.load({**settings, **places, "dataset": name})


def _copy(model: Path, part: Path) -> None:
    shutil.copytree(model, part)
    check_servable(part)
    warmup.write(part)


def _name_classify(model: Path) -> None:
    """Names the method of the signature `classify`, which TensorFlow 2 calls predict."""
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(model))
    updater.replace_method_name(classifier.CLASSIFY, CLASSIFY_METHOD, tags="serve")
    updater.save()


PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
JIT = "_XlaMustCompile"


def check_servable(path: Path) -> None:
    """Checks the SavedModel in the folder `path`.

    Raises:
        UserError: the graph calls Python, or asks for a compiler that a server does not
            have; or an output of `serving_default` does not begin with the batch, so that
            it can't be asked over REST.
    """
    model = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    if faults := sorted(set(_faults(model))):
        raise UserError(
            f"TensorFlow Serving can't run this export: {'; '.join(faults)}; build the network "
            "of TensorFlow operations alone, without jit_compile"
        )


def _faults(model: SavedModel) -> Iterator[str]:
    for graph in model.meta_graphs:
        yield from _node_faults(graph.graph_def.node, "the graph")
        for function in graph.graph_def.library.function:
            name = function.signature.name
            yield from _node_faults(function.node_def, f"function {name}")
            if _must_compile(function.attr):
                yield f"function {name} has jit_compile"
        yield from _signature_faults(graph.signature_def)


def _node_faults(nodes, where: str) -> Iterator[str]:
    for node in nodes:
        if node.op in PYTHON_OPS:
            yield f"{node.op} {node.name!r} in {where}"
        if _must_compile(node.attr):
            yield f"{node.name!r} in {where} has jit_compile"


def _must_compile(attributes) -> bool:
    return JIT in attributes and attributes[JIT].b


def _signature_faults(signatures) -> Iterator[str]:
    if "serving_default" not in signatures:
        yield "no signature serving_default"
        return
    for name, output in signatures["serving_default"].outputs.items():
        shape = output.tensor_shape
        if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
            yield f"output {name!r} does not begin with the batch"
