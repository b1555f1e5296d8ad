"""Asks a served classifier, over REST or gRPC.

  python -m tf_distill.export.client --url=http://localhost:8501 --model=trec6 "What is an atom ?"
  python -m tf_distill.export.client --url=grpc://localhost:8500 --model=trec6 "What is an atom ?"
  python -m tf_distill.export.client --url=http://localhost:8501 --model=digits --images seven.png

Prints a line for each input: label, probability, input. gRPC needs the extra `serving`.
"""

import base64
import http.client
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from absl import flags

from tf_distill.common import cli, startup
from tf_distill.common.errors import UserError

_URL = flags.DEFINE_string(
    "url", "http://localhost:8501", "The server: http(s)://host:port for REST, grpc://host:port."
)
_MODEL = flags.DEFINE_string("model", None, "Name of the model on the server.", required=True)
_VERSION = flags.DEFINE_integer("version", None, "Version of the model. Default: the newest.")
_IMAGES = flags.DEFINE_bool("images", False, "The arguments are image files, not texts.")
_TIMEOUT = flags.DEFINE_float("timeout", 10.0, "Seconds to wait for the answer.", lower_bound=0.001)


NOISE = re.compile(r"\s*(Graph execution error:|Detected at node .*|<stack traces .*>|\[\[.*)?")
"""Lines of TensorFlow's errors that are of the graph, not of what was asked."""


class RefusedError(UserError):
    """The server finds fault with what was asked."""


class Request(NamedTuple):
    """What is asked: the model, its signature with its one input, and the rows of it."""

    model: str
    version: int | None
    signature: str
    input: str
    rows: list[bytes]


class Row(NamedTuple):
    """One row of the answer: the label and its probability."""

    label: str
    probability: float


def main(argv: list[str]) -> None:
    """Sends one request with all arguments and prints the answer."""
    if len(argv) < 2:
        raise UserError("got nothing to classify, expected texts, or files with --images")
    inputs = argv[1:]
    signature, name = ("serving_encoded", "image_bytes") if _IMAGES.value else _TEXT
    rows = [read(file) for file in inputs] if _IMAGES.value else [t.encode() for t in inputs]
    request = Request(_MODEL.value, _VERSION.value, signature, name, rows)
    try:
        answer = ask(_URL.value, request, _TIMEOUT.value)
    except RefusedError:
        for sent, text in zip(rows, inputs, strict=True):
            check(sent, text, request)
        raise
    for row, text in zip(answer, inputs, strict=True):
        print(f"{row.label}\t{row.probability:.4f}\t{text}")


_TEXT = ("serving_default", "text")


def check(row: bytes, text: str, request: Request) -> None:
    """Raises UserError that names an input where the server refuses it alone."""
    try:
        ask(_URL.value, request._replace(rows=[row]), _TIMEOUT.value)
    except RefusedError as error:
        raise UserError(f"{text}: {error}") from None


def ask(url: str, request: Request, timeout: float) -> list[Row]:
    """The answer of the server at `url`, a row for each of the request's.

    Raises:
        RefusedError: an input that the server can't take.
        UserError: no such kind of URL, no answer in `timeout` seconds, or no such model.
    """
    scheme, _, address = url.partition("://")
    if scheme == "grpc" and address:
        return ask_grpc(address, request, timeout)
    if scheme in ("http", "https") and address:
        return ask_rest(url.rstrip("/"), request, timeout)
    raise UserError(f"got --url={url}, expected http://host:port or grpc://host:port")


def ask_rest(url: str, request: Request, timeout: float) -> list[Row]:
    """The answer over REST, in row format."""
    version = f"/versions/{request.version}" if request.version else ""
    address = f"{url}/v1/models/{request.model}{version}:predict"
    body = {
        "signature_name": request.signature,
        "instances": [{"b64": base64.b64encode(row).decode()} for row in request.rows],
    }
    try:
        post = urllib.request.Request(
            address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(post, timeout=timeout) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        kind = RefusedError if error.code == http.HTTPStatus.BAD_REQUEST else UserError
        raise kind(f"{address} answered {error.code}: {_message(error)}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UserError(f"no answer from {address}: {error}; is a server there?") from error
    try:
        rows = json.loads(answer)["predictions"]
        return [Row(row["label"], max(row["probabilities"])) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise _another_model(address) from error


def ask_grpc(address: str, request: Request, timeout: float) -> list[Row]:
    """The answer over gRPC, by Predict."""
    with startup.quiet():
        try:
            import grpc
            import tensorflow as tf
            from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
        except ImportError as error:
            raise UserError(
                f"gRPC needs {error.name}; pip install '.[serving]' from a checkout, or use http://"
            ) from error
    message = predict_pb2.PredictRequest()
    message.model_spec.name = request.model
    message.model_spec.signature_name = request.signature
    if request.version:
        message.model_spec.version.value = request.version
    message.inputs[request.input].CopyFrom(tf.make_tensor_proto(request.rows))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            outputs = stub.Predict(message, timeout).outputs
        except grpc.RpcError as error:
            kind = RefusedError if error.code().name == "INVALID_ARGUMENT" else UserError
            told = _one_line(error.details())
            raise kind(f"{address} answered {error.code().name}: {told}") from error
    if not {"label", "probabilities"} <= set(outputs):
        raise _another_model(address)
    labels = outputs["label"].string_val
    probabilities = tf.make_ndarray(outputs["probabilities"]).max(axis=1)
    return [Row(label.decode(), float(p)) for label, p in zip(labels, probabilities, strict=True)]


def read(file: str) -> bytes:
    """The bytes of a file."""
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"can't read {file}: {error.strerror}; name an image file") from error


def _another_model(address: str) -> UserError:
    return UserError(
        f"the answer of {address} has no label and probabilities; ask for a model of tf_distill "
        "that answers with classes"
    )


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return _one_line(str(json.loads(text)["error"]))
    except (ValueError, KeyError, TypeError):
        return _one_line(text[:200])


def _one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines() if not NOISE.fullmatch(line))


if __name__ == "__main__":
    cli.run(main, "client")
