"""Stands in for tensorflow_model_server: its REST forms, and gRPC on its real stubs.

  python tests/stand_in.py --rest_port=8501 --grpc_port=8500 digits=exports/digits

It runs the SavedModels in this Python process. It shows that an export and a client fit
the two protocols; it does not show that the real server runs them.
"""

import argparse
import base64
import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

PATH = re.compile(r"/v1/models/(\w+)(?:/versions/(\d+))?(?::(predict|classify))")


class NotFoundError(LookupError):
    """No such model or version."""


class Model:
    """The highest version of a model's folder.

    Args:
        base: folder with numbered versions.
    """

    def __init__(self, base: Path):
        self.version = max(int(p.name) for p in base.iterdir() if p.name.isdecimal())
        path = base / str(self.version)
        self._loaded = tf.saved_model.load(str(path))
        meta_graph = SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0]
        self.signature_def = dict(meta_graph.signature_def)
        del self.signature_def["__saved_model_init_op"]

    def inputs(self, signature: str) -> dict[str, tf.DType]:
        """The names and types of a signature's inputs."""
        if signature not in self.signature_def:
            raise ValueError(f'Serving signature name: "{signature}" not found in signature def')
        found = self.signature_def[signature].inputs
        return {name: tf.as_dtype(info.dtype) for name, info in found.items()}

    def run(self, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        """The outputs of a signature for inputs by name."""
        types = self.inputs(signature)
        if set(types) != set(inputs):
            raise ValueError(f"expected inputs {sorted(types)}, got {sorted(inputs)}")
        tensors = {name: tf.constant(value, types[name]) for name, value in inputs.items()}
        outputs = self._loaded.signatures[signature](**tensors)
        return {name: value.numpy() for name, value in outputs.items()}


class Models(dict):
    """Models by name."""

    def find(self, name: str, version: int | None) -> Model:
        """The model, whose version must be the one asked for, if any."""
        model = self.get(name)
        if model is None or version not in (None, 0, model.version):
            asked = f"Specific({name}, {version})" if version else f"Latest({name})"
            raise NotFoundError(f"Servable not found for request: {asked}")
        return model


# REST


def answer_rest(models: Models, path: str, body: bytes) -> dict:
    """The JSON answer to a request."""
    found = PATH.fullmatch(path)
    if not found:
        raise ValueError(f"Malformed request: {path}")
    name, version, verb = found.groups()
    model = models.find(name, int(version) if version else None)
    request = json.loads(body)
    signature = request.get("signature_name", "serving_default")
    return (predict if verb == "predict" else classify)(model, signature, request)


def predict(model: Model, signature: str, request: dict) -> dict:
    """Row format (instances) or column format (inputs)."""
    names = list(model.inputs(signature))
    if ("instances" in request) == ("inputs" in request):
        raise ValueError("Missing 'inputs' or 'instances' key")
    value = decode_bytes(request.get("instances", request.get("inputs")))
    if "instances" in request:
        rows = [v if isinstance(v, dict) else {names[0]: v} for v in value]
        outputs = model.run(signature, {n: [row[n] for row in rows] for n in names})
        columns = [to_json(v) for v in outputs.values()]
        rows = [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]
        return {"predictions": rows}
    columns = value if isinstance(value, dict) else {names[0]: value}
    outputs = model.run(signature, columns)
    return {"outputs": {name: to_json(v) for name, v in outputs.items()}}


def classify(model: Model, signature: str, request: dict) -> dict:
    """Examples with string features."""
    examples = [to_example(decode_bytes(e)) for e in request["examples"]]
    outputs = model.run(signature, {"inputs": examples})
    pairs = zip(to_json(outputs["classes"]), to_json(outputs["scores"]), strict=True)
    return {"results": [list(map(list, zip(*pair, strict=True))) for pair in pairs]}


def to_example(features: dict[str, bytes | str]) -> bytes:
    """A serialized tf.Example."""
    values = {name: tf.train.BytesList(value=[as_bytes(v)]) for name, v in features.items()}
    feature = {name: tf.train.Feature(bytes_list=value) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def decode_bytes(value):
    """JSON with every {"b64": ...} as bytes."""
    if isinstance(value, list):
        return [decode_bytes(v) for v in value]
    if isinstance(value, dict):
        if set(value) == {"b64"}:
            return base64.b64decode(value["b64"])
        return {k: decode_bytes(v) for k, v in value.items()}
    return value


def to_json(array: np.ndarray) -> list:
    """Strings and the shortest decimals of floats."""
    if array.dtype == object:
        return np.vectorize(bytes.decode, otypes=[object])(array).tolist()
    return array.astype(str).astype(float).tolist() if array.dtype == np.float32 else array.tolist()


def as_bytes(value: bytes | str) -> bytes:
    """Text as UTF-8."""
    return value.encode() if isinstance(value, str) else value


@contextlib.contextmanager
def rest(models: Models, port: int = 0) -> Iterator[str]:
    """Serves over HTTP on the loopback; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                code, answer = 200, answer_rest(models, self.path, body)
            except NotFoundError as error:
                code, answer = 404, {"error": str(error)}
            except (ValueError, KeyError, TypeError, tf.errors.InvalidArgumentError) as error:
                code, answer = 400, {"error": getattr(error, "message", str(error))}
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer, indent=4).encode() + b"\n")

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def grpc(models: Models, port: int = 0) -> Iterator[str]:
    """Serves over gRPC on the loopback; gives the URL."""
    from grpc_stand_in import start

    server, bound = start(models, port)
    try:
        yield f"grpc://127.0.0.1:{bound}"
    finally:
        server.stop(0).wait()


def wait_for_ever() -> None:
    """Ends at Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rest_port", type=int, default=8501)
    parser.add_argument("--grpc_port", type=int, default=8500)
    parser.add_argument("models", nargs="+", help="name=folder with numbered versions")
    arguments = parser.parse_args()
    pairs = (model.split("=", 1) for model in arguments.models)
    models = Models({name: Model(Path(base)) for name, base in pairs})
    with contextlib.ExitStack() as servers:
        print(servers.enter_context(rest(models, arguments.rest_port)), flush=True)
        try:
            print(servers.enter_context(grpc(models, arguments.grpc_port)), flush=True)
        except ModuleNotFoundError as error:
            print(f"no gRPC, which needs {error.name}: pip install '.[serving]'", flush=True)
        wait_for_ever()


if __name__ == "__main__":
    main()
