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

CLIENT = ("-m", "tf_distill.export.client")
CLASSES = ["person", "place", "number"]


@pytest.fixture(scope="module")
def models(text_run, image_run):
    text, image = (stand_in.Model(run / "model") for run in (text_run, image_run))
    return stand_in.Models(toy=text, digits=image)


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
def expected(text_run):
    return expected_answers(text_run)


def refusal(*arguments):
    """The one line with which the client ends."""
    told = program(*CLIENT, *arguments, status=2)
    assert len(told.splitlines()) == 1
    return told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--model is missing, expected name of the model on the server; see --help"),
        ("--model=toy", "got nothing to classify"),
        ("--model=toy --url=localhost a", "expected http://host:port or grpc://"),
        ("--model=toy --url=http://127.0.0.1:1 a", "no answer from http://127.0.0.1:1"),
        ("--model=toy --url=http://127.0.0.1:port a", "nonnumeric port: 'port'"),
        ("--model=toy --images none.png", "can't read none.png"),
    ],
)
def test_client_mistakes_are_one_line(arguments, message):
    assert message in refusal(*arguments.split())


@pytest.mark.parametrize("server", ["rest_url", pytest.param("grpc_url", marks=pytest.mark.long)])
def test_client_prints_a_line_for_each_question(server, request, expected):
    url = f"--url={request.getfixturevalue(server)}"
    lines = program(*CLIENT, url, "--model=toy", *QUESTIONS).splitlines()
    for line, question, probabilities in zip(lines, QUESTIONS, expected, strict=True):
        label, probability, text = line.split("\t")
        assert (label, text) == (CLASSES[probabilities.argmax()], question)
        assert float(probability) == pytest.approx(probabilities.max(), abs=1e-4)


def test_client_sends_images_and_names_what_is_refused(rest_url, image_run, tmp_path):
    url, files = f"--url={rest_url}", (tmp_path / "a.png", tmp_path / "b.png")
    files[0].write_bytes(tf.io.encode_png(dataset(image_run).x_test[0]).numpy())
    files[1].write_bytes(b"none")
    images = (url, "--model=digits", "--images", files[0])
    assert program(*CLIENT, *images).split()[0] in map(str, range(10))
    refused = refusal(*images, files[1])
    assert refused.startswith(f"client: error: {files[1]}: {rest_url}")
    assert "answered 400: Unknown image file format." in refused
    unknown = refusal(url, "--model=other", "a")
    assert unknown.endswith("answered 404: Servable not found for request: Latest(other)\n")


class OtherModel(http.server.BaseHTTPRequestHandler):
    """Answers as Serving does for a model with one unnamed output."""

    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"predictions": [[0.25, 0.75]]}')


def test_client_says_that_a_model_is_not_ours():
    with http.server.HTTPServer(("127.0.0.1", 0), OtherModel) as server:
        threading.Thread(target=server.handle_request).start()
        refused = refusal(f"--url=http://127.0.0.1:{server.server_port}", "--model=toy", "a")
    assert "has no label and probabilities" in refused


def test_the_stand_in_serves_without_grpc(models, monkeypatch, capsys):
    for name in ("tensorflow_serving", "tensorflow_serving.apis"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "grpc_stand_in", raising=False)
    monkeypatch.setattr(stand_in, "Model", lambda base: models["digits"])
    monkeypatch.setattr(stand_in, "wait_for_ever", lambda: None)
    monkeypatch.setattr(sys, "argv", ["stand_in.py", "--rest_port=0", "digits=exports/digits"])
    stand_in.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("http://127.0.0.1:")
    assert lines[1].startswith("no gRPC, which needs tensorflow_serving")


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return error.code


def test_rest_forms(rest_url, expected):
    url = f"{rest_url}/v1/models/toy"
    rows = post(f"{url}:predict", {"instances": QUESTIONS})["predictions"]
    columns = post(f"{url}/versions/1:predict", {"inputs": {"text": QUESTIONS}})["outputs"]
    for name in ("probabilities", "class_id", "label"):
        assert [row[name] for row in rows] == columns[name]
    np.testing.assert_allclose(columns["probabilities"], expected, atol=1e-5)
    body = {"signature_name": "classify", "examples": [{"text": q} for q in QUESTIONS]}
    classified = post(f"{url}:classify", body)["results"][0]
    assert [label for label, _ in classified] == CLASSES
    assert [score for _, score in classified] == columns["probabilities"][0]


def test_rest_images(rest_url, image_run):
    url, images = f"{rest_url}/v1/models/digits:predict", dataset(image_run).x_test[:2]
    files = [base64.b64encode(tf.io.encode_png(image).numpy()).decode() for image in images]
    body = {"signature_name": "serving_encoded", "instances": [{"b64": f} for f in files]}
    encoded = post(url, body)["predictions"]
    floats = post(url, {"instances": (images / 255).tolist()})["predictions"]
    for one, other in zip(encoded, floats, strict=True):
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)
    assert post(url.replace(":predict", "/versions/9:predict"), {"instances": []}) == 404
    assert post(url, {"instances": ["text"]}) == 400
    assert post(url, {"signature_name": "sum", "instances": [1]}) == 400


def test_grpc_predict_and_classify(grpc_url, expected):
    import grpc
    from tensorflow_serving.apis import classification_pb2, predict_pb2
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    predict = predict_pb2.PredictRequest()
    predict.model_spec.name = "toy"
    predict.inputs["text"].CopyFrom(tf.make_tensor_proto(strings(*QUESTIONS)))
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name, classify.model_spec.signature_name = "toy", "classify"
    examples = (example("text", q.encode()) for q in QUESTIONS)
    classify.input.example_list.examples.extend(map(tf.train.Example.FromString, examples))
    with grpc.insecure_channel(grpc_url.removeprefix("grpc://")) as channel:
        stub = PredictionServiceStub(channel)
        outputs = stub.Predict(predict, 10).outputs
        rows = stub.Classify(classify, 10).result.classifications
    np.testing.assert_allclose(tf.make_ndarray(outputs["probabilities"]), expected, atol=1e-5)
    assert [c.label for c in rows[0].classes] == CLASSES
    np.testing.assert_allclose([[c.score for c in r.classes] for r in rows], expected, atol=1e-5)
