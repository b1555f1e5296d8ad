"""The export programs, numbered versions, TFDS directories, and both protocols by a stand-in."""

import base64
import json
import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
import stand_in
import tensorflow as tf
from served import ROOT, dataset, example, in_cpp, in_keras, program, strings

import tf_distill
from tf_distill import servable, tfds_export, versions
from tf_distill.errors import UserError

FORMAT_1 = ROOT / "tests" / "data" / "distilled_format_1"
QUESTIONS = ["who wrote the old book ?", "where is the lost city ?", "日本"]


@pytest.fixture(scope="module")
def models(text_run, image_run):
    return stand_in.Models(
        toy=stand_in.Model(text_run / "model"), digits=stand_in.Model(image_run / "model")
    )


@pytest.fixture(scope="module")
def rest_url(models):
    with stand_in.rest(models) as url:
        yield url


@pytest.fixture(scope="module")
def grpc_url(models):
    pytest.importorskip("tensorflow_serving", reason="needs the extra: pip install .[serving]")
    with stand_in.grpc(models) as url:
        yield url


@pytest.fixture(scope="module")
def stub(grpc_url):
    import grpc
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    with grpc.insecure_channel(grpc_url.removeprefix("grpc://")) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def expected(text_run):
    """Probabilities of QUESTIONS."""
    encoding = dataset(text_run).encoding
    return in_keras(text_run, encoding(encoding.number(strings(*QUESTIONS))))


# Programs


def test_programs_export_versions(text_run, tmp_path):
    for export, file in (("classifier", "assets/vocabulary.txt"), ("distilled_set", "assets")):
        command = (f"export/{export}.py", f"--run_dir={text_run}", f"--export_dir={tmp_path / 'a'}")
        path = program(*command).strip()
        assert (tmp_path / "a" / path / file).exists()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Flag --model must have a value"),
        (("--model=toy",), "got nothing to classify"),
        (("--model=toy", "--url=localhost", "a"), "expected http://host:port or grpc://"),
        (("--model=toy", "--url=http://127.0.0.1:1", "a"), "no answer from http://127.0.0.1:1"),
        (("--model=toy", "--images", "none.png"), "can't read none.png"),
    ],
)
def test_client_mistakes_are_one_line(arguments, message):
    stderr = program("export/client.py", *arguments, status=2)
    assert message in stderr
    assert len(stderr.splitlines()) == 1


def test_client_over_rest(rest_url, image_run, tmp_path, expected):
    lines = program("export/client.py", f"--url={rest_url}", "--model=toy", *QUESTIONS).splitlines()
    check_lines(lines, expected)
    (tmp_path / "a.png").write_bytes(tf.io.encode_png(dataset(image_run).x_test[0]).numpy())
    command = ("--model=digits", "--images", tmp_path / "a.png")
    label = program("export/client.py", f"--url={rest_url}", *command).split()[0]
    assert label in map(str, range(10))
    refused = program("export/client.py", f"--url={rest_url}", "--model=other", "a", status=2)
    assert refused.endswith("answered 404: Servable not found for request: Latest(other)\n")


def test_client_over_grpc(grpc_url, expected):
    lines = program("export/client.py", f"--url={grpc_url}", "--model=toy", *QUESTIONS).splitlines()
    check_lines(lines, expected)


def check_lines(lines, expected):
    for line, question, probabilities in zip(lines, QUESTIONS, expected, strict=True):
        label, probability, text = line.split("\t")
        assert text == question
        assert label == ["person", "place", "number"][probabilities.argmax()]
        assert float(probability) == pytest.approx(probabilities.max(), abs=1e-4)


# The two protocols


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


def test_rest_forms(rest_url, expected):
    url = f"{rest_url}/v1/models/toy"
    rows = post(f"{url}:predict", {"instances": QUESTIONS})["predictions"]
    columns = post(f"{url}/versions/1:predict", {"inputs": {"text": QUESTIONS}})["outputs"]
    for name in ("probabilities", "class_id", "label"):
        assert [row[name] for row in rows] == columns[name]
    np.testing.assert_allclose(columns["probabilities"], expected, atol=1e-5)
    body = {"signature_name": "classify", "examples": [{"text": q} for q in QUESTIONS]}
    results = post(f"{url}:classify", body)["results"]
    assert results[0] == [
        list(pair)
        for pair in zip(("person", "place", "number"), columns["probabilities"][0], strict=True)
    ]


def test_rest_images(rest_url, image_run):
    url, images = f"{rest_url}/v1/models/digits:predict", dataset(image_run).x_test[:2]
    files = [base64.b64encode(tf.io.encode_png(image).numpy()).decode() for image in images]
    body = {"signature_name": "serving_encoded", "instances": [{"b64": f} for f in files]}
    encoded = post(url, body)["predictions"]
    floats = post(url, {"instances": (images / 255).tolist()})["predictions"]
    for one, other in zip(encoded, floats, strict=True):
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)


def test_rest_errors(rest_url):
    url = f"{rest_url}/v1/models/digits:predict"
    assert post(f"{rest_url}/v1/models/digits/versions/9:predict", {"instances": []})[0] == 404
    assert post(url, {"instances": ["text"]})[0] == 400
    assert post(url, {})[0] == 400
    assert post(url, {"signature_name": "none", "instances": [1]})[0] == 404


def test_stub_predict_and_classify(stub, expected):
    from tensorflow_serving.apis import classification_pb2, predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(strings(*QUESTIONS)))
    outputs = stub.Predict(request, 10).outputs
    np.testing.assert_allclose(tf.make_ndarray(outputs["probabilities"]), expected, atol=1e-5)

    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "toy", "classify"
    examples = (example("text", q.encode()) for q in QUESTIONS)
    request.input.example_list.examples.extend(map(tf.train.Example.FromString, examples))
    rows = stub.Classify(request, 10).result.classifications
    assert [c.label for c in rows[0].classes] == ["person", "place", "number"]
    np.testing.assert_allclose([[c.score for c in r.classes] for r in rows], expected, atol=1e-5)


def test_stub_metadata(stub):
    from tensorflow_serving.apis import get_model_metadata_pb2

    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "digits"
    found = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(request, 10).metadata["signature_def"].Unpack(found)
    names = {"serving_default", "serving_uint8", "serving_encoded", "classify"}
    assert set(found.signature_def) == names
    assert found.signature_def["classify"].method_name == "tensorflow/serving/classify"


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
    assert versions.publish(tmp_path, lambda part: part.mkdir()) == tmp_path / "10"
    assert versions.publish(tmp_path / "new", lambda part: part.mkdir()).name == "1"


def test_a_version_that_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.mkdir()
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        versions.publish(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't write to .*file"):
        versions.publish(tmp_path / "file", lambda part: part.mkdir())
    with pytest.raises(UserError, match=r"can't write to .*file"):
        tfds_export.write(tf_distill.load_distilled(FORMAT_1), tmp_path / "file")


def test_a_model_is_rebuilt_from_the_distilled_set(text_run, tmp_path, expected):
    old = tmp_path / "old"
    shutil.copytree(text_run / "distilled", old / "distilled")
    with pytest.raises(UserError, match=r"config.json is missing or damaged"):
        servable.export_run(old, tmp_path / "export")
    shutil.copy(text_run / "config.json", old)
    path = servable.export_run(old, tmp_path / "export")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    answer = serve(text=tf.constant(QUESTIONS))
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_no_run_to_export(tmp_path):
    with pytest.raises(UserError, match="is no distilled set"):
        servable.export_run(tmp_path, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_tfds_directory(image_run, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    distilled = tf_distill.load_distilled(image_run / "distilled" / "1")
    paths = [tfds_export.write(distilled, tmp_path) for _ in range(2)]
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
    assert json.loads((paths[0] / "distilled.json").read_text()) == distilled.metadata
