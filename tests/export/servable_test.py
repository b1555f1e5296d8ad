"""The export programs, numbered versions, TFDS directories and warm-up requests."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import small
import tensorflow as tf
from served import QUESTIONS, ROOT, expected_answers, in_cpp, program, strings

import tf_distill
from tf_distill.common.errors import UserError
from tf_distill.core import evaluate
from tf_distill.core.inner import train
from tf_distill.core.learner import Learner
from tf_distill.export import servable, tfds, versions

FORMAT_1 = ROOT / "tests" / "data" / "distilled_format_1"


@pytest.mark.long
def test_programs_export_versions(text_run, tmp_path):
    for export, file in (("classifier", "assets/vocabulary.txt"), ("distilled_set", "assets")):
        command = (f"export/{export}.py", f"--run_dir={text_run}", f"--export_dir={tmp_path / 'a'}")
        path = program(*command).strip()
        assert (tmp_path / "a" / path / file).exists()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["1", "2"]


@pytest.mark.parametrize("run", ["text_run", "image_run"])
def test_warm_up_replays_in_cpp(run, request, tmp_path):
    logs = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2", reason="needs the extra: .[serving]"
    )
    model = request.getfixturevalue(run) / "model" / "1"
    records = tf.data.TFRecordDataset(
        str(model / "assets.extra" / "tf_serving_warmup_requests")
    ).as_numpy_iterator()
    asked = [as_asked(logs.PredictionLog.FromString(record)) for record in records]
    assert {len(next(iter(inputs.values()))) for _, inputs in asked} == {1, 32}
    assert all(isinstance(answer, dict) for answer in in_cpp(model, asked, tmp_path))


def as_asked(log):
    """The signature and inputs of a warm-up request."""
    if log.HasField("classify_log"):
        request = log.classify_log.request
        examples = (e.SerializeToString() for e in request.input.example_list.examples)
        return request.model_spec.signature_name, {"inputs": strings(*examples)}
    request = log.predict_log.request
    inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    return request.model_spec.signature_name, inputs


def test_models_config_is_one():
    config = pytest.importorskip(
        "tensorflow_serving.config.model_server_config_pb2", reason="needs the extra: .[serving]"
    )
    from google.protobuf import text_format

    text = (ROOT / "export" / "models.config").read_text()
    parsed = text_format.Parse(text, config.ModelServerConfig())
    assert [c.name for c in parsed.model_config_list.config] == ["trec6", "digits"]


# Folders


def test_versions_grow(tmp_path):
    for name in ("1", "9", "backup", ".part-10"):
        (tmp_path / name).mkdir()
    assert versions.publish_version(tmp_path, lambda part: part.mkdir()) == tmp_path / "10"
    assert versions.publish_version(tmp_path / "new", lambda part: part.mkdir()).name == "1"


def test_a_version_that_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.mkdir()
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        versions.publish_version(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't write to .*file"):
        versions.publish_version(tmp_path / "file", lambda part: part.mkdir())
    with pytest.raises(UserError, match=r"can't write to .*file"):
        tfds.write_version(tf_distill.load_distilled(FORMAT_1), tmp_path / "file")


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


def test_a_random_initialization_exports_its_first_evaluation_network(tmp_path):
    shutil.copytree(FORMAT_1, tmp_path / "distilled" / "1")
    config = small.config(tmp_path, init="random", data_dir=".")
    (tmp_path / "config.json").write_text(config.to_json())
    classifier = servable.rebuild(tmp_path)
    distilled = tf_distill.load_distilled(FORMAT_1)
    learner = Learner(distilled.network())
    start = next(iter(evaluate.test_networks(learner, "random", 20, distilled.metadata["seed"])))
    for one, other in zip(
        classifier.weights, train(learner, distilled.samples, start), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


def without_model(data, network, folder):
    """A run from Python whose trained model is gone; with what that gave for an input."""
    tf_distill.distill(data, network, outer_steps=2, epochs=1, run_dir=folder)
    (folder / "model" / "1").rename(folder / "gone")
    return folder


def test_a_model_on_arrays_is_rebuilt_from_the_metadata(tmp_path):
    x = np.random.default_rng(0).normal(3, 2, (40, 16, 16, 1)).astype(np.float32)
    data = tf_distill.datasets.from_arrays(x, np.arange(40) % 2)
    run = without_model(data, "lenet", tmp_path / "run")
    path = servable.export_run(run, tmp_path / "export")
    one, other = (
        tf.saved_model.load(str(p)).signatures["serving_default"](array=tf.constant(x[:5]))
        for p in (run / "gone", path)
    )
    np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)


def test_a_model_on_texts_of_python_can_only_be_exported_there(tmp_path):
    texts = ["a fine film of five words", "a dull film of five words"] * 10
    data = tf_distill.datasets.from_texts(texts, ["good", "bad"] * 10)
    run = without_model(data, "textconvnet", tmp_path / "run")
    with pytest.raises(UserError, match=r"run has no model/, and its texts, 'texts', are known to"):
        servable.export_run(run, tmp_path / "export")
    again = tf_distill.distill(data, "textconvnet", outer_steps=2, epochs=1, run_dir=run)
    assert (again.export(tmp_path / "export")["model"] / "saved_model.pb").exists()


def test_no_run_to_export(tmp_path):
    with pytest.raises(UserError, match="is no distilled set"):
        servable.export_run(tmp_path, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_tfds_directory(image_run, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    distilled = tf_distill.load_distilled(image_run / "distilled" / "1")
    distilled = dataclasses.replace(distilled, frozen_weights=[tf.ones(3), tf.constant(2)])
    paths = [tfds.write_version(distilled, tmp_path) for _ in range(2)]
    assert [p.name for p in paths] == ["1.0.0", "2.0.0"]
    named = tfds.load("digits_lenet_distilled:1.0.0", data_dir=tmp_path, split="train")
    found = tfds.builder_from_directory(paths[1]).as_dataset(split="train")
    for examples in (named, found):
        for t, one in enumerate(examples.as_numpy_iterator()):
            assert (one["step"], one["lr"]) == (t, distilled.samples.lr[t])
            np.testing.assert_array_equal(one["x"], distilled.samples.x[0])
            np.testing.assert_array_equal(one["y"], distilled.samples.y[0])
        assert t == 2
    with np.load(paths[0] / "initial_weights.npz") as weights:
        for one, other in zip(weights.values(), distilled.initial_weights, strict=True):
            np.testing.assert_array_equal(one, other)
    with np.load(paths[0] / "frozen_weights.npz") as weights:
        assert [w.tolist() for w in weights.values()] == [[1, 1, 1], 2]
    assert json.loads((paths[0] / "distilled.json").read_text()) == distilled.metadata
