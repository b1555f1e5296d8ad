"""Trained models on disk: exported, rebuilt, checked for a server, with warm-up requests."""

import dataclasses
import shutil

import numpy as np
import pytest
import small
import tensorflow as tf
from served import FORMAT_1, QUESTIONS, ROOT, expected_answers, in_cpp, strings

import tf_distill
from tf_distill.common import UserError
from tf_distill.core import Learner, Optimizer, Recipe, Samples, evaluate, train
from tf_distill.export import LoadedSet, formats, load, saved_model, servable


def test_the_model_of_a_run_is_exported_as_versions(text_run, tmp_path):
    paths = [formats.serving(text_run, tmp_path / "model") for _ in range(2)]
    assert paths == [tmp_path / "model" / "1", tmp_path / "model" / "2"]
    assert all((path / "assets" / "vocabulary.txt").exists() for path in paths)


@pytest.mark.parametrize("run", ["text_run", "image_run"])
def test_warm_up_replays_in_cpp(run, request, tmp_path):
    logs = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2", reason="needs the extra: .[serving]"
    )
    model = request.getfixturevalue(run) / "model" / "1"
    file = model / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    asked = [as_asked(logs.PredictionLog.FromString(record)) for record in records]
    assert {len(next(iter(inputs.values()))) for _, inputs in asked} == {1, 32}
    assert all(isinstance(answer, dict) for answer in in_cpp(model, asked, tmp_path))


def as_asked(log):
    """The signature and inputs of a warm-up request."""
    request = getattr(log, log.WhichOneof("log_type")).request
    if log.HasField("classify_log"):
        examples = (e.SerializeToString() for e in request.input.example_list.examples)
        inputs = {"inputs": strings(*examples)}
    else:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    return request.model_spec.signature_name, inputs


def test_the_models_config_of_the_readme_is_sound():
    config = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2", reason="needs the extra: .[serving]"
    )
    from google.protobuf import text_format

    text = (ROOT / "export" / "models.config").read_text()
    parsed = text_format.Parse(text, config.ModelServerConfig())
    assert [c.name for c in parsed.model_config_list.config] == ["trec6", "digits"]


def test_a_model_is_rebuilt_from_the_distilled_set(text_run, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(text_run / "distilled", old / "distilled")
    with pytest.raises(UserError, match=r"config.json is missing, or has no"):
        servable.export_run(old, tmp_path / "export")
    shutil.copy(text_run / "config.json", old)
    path = servable.export_run(old, tmp_path / "export")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = serve(text=tf.constant(QUESTIONS))
    np.testing.assert_allclose(answer["probabilities"], expected_answers(text_run), atol=1e-5)


def assert_close(weights, expected):
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_random_initialization_exports_its_first_evaluation_network(tmp_path):
    shutil.copytree(FORMAT_1, tmp_path / "distilled" / "1")
    config = small.config(tmp_path, init="random", data_dir=".")
    (tmp_path / "config.json").write_text(config.to_json())
    classifier = servable.rebuild(tmp_path)
    distilled = load(FORMAT_1)
    learner = Learner(distilled.network())
    start = next(iter(evaluate.test_networks(learner, "random", 20, distilled.metadata["seed"])))
    assert_close(classifier.weights, train(learner, distilled.samples, start))


def test_the_inner_optimizer_trains_the_servable():
    still = Optimizer(lambda weights: [], lambda weights, state, gradients, lr: (weights, state))
    learner = small.learner()
    recipe = Recipe(still)
    classifier = servable.trained(learner, small.samples(), small.dataset(), "fixed", 0, recipe)
    assert_close(classifier.weights, next(iter(evaluate.test_networks(learner, "fixed", 1, 0))))


def test_a_model_on_arrays_is_rebuilt_from_the_metadata(tmp_path):
    x = np.random.default_rng(0).normal(3, 2, (40, 12, 12, 1)).astype(np.float32)
    data = tf_distill.datasets.from_arrays(x, np.arange(40) % 2)
    metadata = load(FORMAT_1).metadata
    metadata |= {"dataset": "arrays", "network": "lenet", "classes": data.classes}
    metadata["input"] = data.encoding.metadata()
    samples = Samples(data.encoding(x[:2])[None], np.float32([[[0], [1]]]), np.float32([0.1]))
    distilled = LoadedSet(samples, [], metadata)
    saved_model.write(tmp_path / "distilled" / "1", distilled)
    classifier = servable.rebuild(tmp_path)
    found = classifier.predict(x)["probabilities"]
    learner = Learner(distilled.network())
    start = next(iter(evaluate.test_networks(learner, "random", 1, metadata["seed"])))
    logits = learner.apply(train(learner, samples, start), data.encoding(x))
    np.testing.assert_allclose(found[:, 1:], tf.sigmoid(logits), atol=1e-5)


def test_a_model_on_texts_of_python_can_only_be_exported_there(tmp_path):
    with pytest.raises(UserError, match="is no distilled set"):
        servable.export_run(tmp_path, tmp_path / "export")
    distilled = load(FORMAT_1)
    metadata = {**distilled.metadata, "dataset": "texts"}
    saved_model.write(
        tmp_path / "distilled" / "1", dataclasses.replace(distilled, metadata=metadata)
    )
    with pytest.raises(UserError, match=r"has no model/, and its texts, 'texts', are known to"):
        servable.export_run(tmp_path, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def double(x):
    return x * 2


def in_python(x):
    return tf.ensure_shape(tf.numpy_function(double, [x], tf.float32), [None])


def in_eager_python(x):
    return tf.ensure_shape(tf.py_function(double, [x], tf.float32), [None])


def save_model(path, function, signature="serving_default"):
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": function(x)})
    concrete = module.f.get_concrete_function(tf.TensorSpec([None], tf.float32, "x"))
    tf.saved_model.save(module, str(path), {signature: concrete})


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (in_python, "PyFunc"),
        (in_eager_python, "EagerPyFunc"),
        (tf.function(double, jit_compile=True), "jit_compile"),
        (tf.reduce_sum, "does not begin with the batch"),
    ],
)
def test_an_export_that_no_server_runs_is_refused(function, fault, tmp_path):
    save_model(tmp_path, function)
    with pytest.raises(UserError, match=fault):
        servable.check_servable(tmp_path)


def test_an_export_needs_a_default_signature(tmp_path):
    save_model(tmp_path / "sound", double)
    servable.check_servable(tmp_path / "sound")
    save_model(tmp_path / "other", double, "other")
    with pytest.raises(UserError, match="no signature serving_default"):
        servable.check_servable(tmp_path / "other")
