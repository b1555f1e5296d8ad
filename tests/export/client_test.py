"""The client, and the exports over Serving's two protocols, answered by a stand-in."""

import base64
import http.server
import json
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
import stand_in
import tensorflow as tf
from served import QUESTIONS, dataset, example, expected_answers, program, strings


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
    return expected_answers(text_run)


# The client


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--model is missing, expected name of the model on the server; see --help"),
        (("--model=toy",), "got nothing to classify"),
        (("--model=toy", "--url=localhost", "a"), "expected http://host:port or grpc://"),
        (("--model=toy", "--url=http://127.0.0.1:1", "a"), "no answer from http://127.0.0.1:1"),
        (("--model=toy", "--url=http://127.0.0.1:port", "a"), "nonnumeric port: 'port'"),
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
    (tmp_path / "b.png").write_bytes(b"none")
    command = (f"--url={rest_url}", *command, tmp_path / "b.png")
    refused = program("export/client.py", *command, status=2)
    assert refused.startswith(f"client: error: {tmp_path / 'b.png'}: {rest_url}")
    assert "answered 400: Unknown image file format." in refused
    assert len(refused.splitlines()) == 1


def test_the_stand_in_serves_without_grpc(models, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.delitem(sys.modules, "grpc_stand_in", raising=False)
    monkeypatch.setattr(stand_in, "Model", lambda base: models["digits"])
    monkeypatch.setattr(stand_in, "wait_for_ever", lambda: None)
    monkeypatch.setattr(sys, "argv", ["stand_in.py", "--rest_port=0", "digits=exports/digits"])
    stand_in.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("http://127.0.0.1:")
    assert lines[1].startswith("no gRPC, which needs tensorflow_serving")


class OtherModel(http.server.BaseHTTPRequestHandler):
    """Answers as Serving does for a model with one unnamed output."""

    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"predictions": [[0.25, 0.75]]}')


def test_client_says_that_a_model_is_not_ours():
    with http.server.HTTPServer(("127.0.0.1", 0), OtherModel) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"--url=http://127.0.0.1:{server.server_port}"
        refused = program("export/client.py", url, "--model=toy", "a", status=2)
    assert "has no label and probabilities" in refused
    assert len(refused.splitlines()) == 1


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
    assert post(url, {"signature_name": "sum", "instances": [1]})[0] == 400


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
