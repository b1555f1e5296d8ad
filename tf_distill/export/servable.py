"""Trained models on disk: a run writes them, `export_run` exports them from its folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf_distill import datasets
from tf_distill.common import UserError, read_checked, whole
from tf_distill.core import (
    REPLAY,
    Learner,
    Recipe,
    Samples,
    Weights,
    compiled_train,
    test_networks,
)
from tf_distill.datasets import Encoding
from tf_distill.export import set_folder, versions, warmup
from tf_distill.export.classifier import CLASSIFY, REGRESS, Classifier, classifier_for

METHODS = {CLASSIFY: "tensorflow/serving/classify", REGRESS: "tensorflow/serving/regress"}
"""Of the signatures that take tf.Examples."""
PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
JIT = "_XlaMustCompile"


def write(path: Path, model: Classifier) -> None:
    """Writes a servable SavedModel, whole or not at all.

    Raises:
        UserError: TensorFlow Serving could not run it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        signatures = model.signatures()
        tf.saved_model.save(model, str(part), signatures=signatures)
        if of_examples := METHODS.keys() & signatures.keys():  # TensorFlow 2 calls them predict
            updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(part))
            for name in of_examples:
                updater.replace_method_name(name, METHODS[name], tags="serve")
            updater.save()
        check_servable(part)
        warmup.write_requests(part)


def trained(
    learner: Learner,
    samples: Samples,
    dataset: datasets.Dataset,
    init: str,
    seed: int,
    recipe: Recipe = REPLAY,
) -> Classifier:
    """The classifier that a set trains: the run's network, or the first of its random ones."""
    weights = compiled_train(learner, recipe)(samples, _first_network(learner, init, seed))
    classes, encoding = dataset.classes, dataset.encoding
    return classifier_for(learner, weights, classes, encoding, dataset.target)


def export_run(run_dir: Path, export_dir: Path) -> Path:
    """Adds the trained model of a finished run to `export_dir`; gives the new version's folder.

    Raises:
        UserError: the run has no distilled set, or the folder can't be written.
    """
    model = run_dir / "model" / "1"
    if model.is_dir():

        def copy(part: Path) -> None:
            shutil.copytree(model, part)
            check_servable(part)
            warmup.write_requests(part)

        return versions.publish_version(export_dir, copy)
    rebuilt = rebuild(run_dir)
    return versions.publish_version(export_dir, lambda part: write(part, rebuilt))


def rebuild(run_dir: Path) -> Classifier:
    """The classifier of a run whose trained model is gone: trained again on its set, in seconds.

    For a set without word vectors it needs those at the place in the run's config.json.
    """
    loaded = set_folder.load(run_dir)
    learner = Learner(loaded.network())
    described = loaded.metadata
    start = loaded.initial_weights or _first_network(learner, "random", described["seed"])
    weights = compiled_train(learner, loaded.recipe)(loaded.samples, start)
    encoding = loaded.encoding or _of_dataset(described, run_dir)
    return classifier_for(learner, weights, described["classes"], encoding, loaded.target)


def _first_network(learner: Learner, init: str, seed: int) -> Weights:
    return next(iter(test_networks(learner, init, 1, seed)))


def _of_dataset(described: dict[str, Any], run_dir: Path) -> Encoding:
    name, settings = described["dataset"], read_checked(run_dir / "config.json")
    if name not in datasets.DATASETS and not datasets.is_own(name):
        raise UserError(
            f"{run_dir} has no model/, and its texts, {name!r}, are known to Python alone; "
            "call tf_distill.distill as before, with the same run_dir, and export() of its result"
        )
    if not {"data_dir", "embeddings"} <= settings.keys():
        raise UserError(
            f"{run_dir}/config.json is missing, or has no data_dir and embeddings; expected the "
            "whole folder of a run, whose config.json says where the word vectors are"
        )
    encoding = datasets.load({**settings, "dataset": name}).encoding
    if list(encoding.metadata()["vocabulary"]) != described["input"]["vocabulary"]:
        raise UserError(
            f"{run_dir} was made with another vocabulary than {name} and its word vectors have "
            "now; restore the files at data_dir and embeddings of its config.json"
        )
    return encoding


def check_servable(path: Path) -> None:
    """Raises UserError for a SavedModel that TensorFlow Serving can't run.

    Its graph may not call Python or need XLA, which a server does not have, and each output of
    `serving_default` must begin with the batch, as REST demands.
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
