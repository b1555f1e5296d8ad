"""Requests that TensorFlow Serving sends itself when it loads a model.

Without them the first real request waits while the runtime is set up. Their format needs the
extra `serving` of this package.
"""

import importlib.util
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf_distill.common import whole
from tf_distill.export import classifier

FILE = Path("assets.extra", "tf_serving_warmup_requests")
BATCHES = (1, 32)
WORDS = 30
Inputs = dict[str, np.ndarray]


def write_requests(model: Path) -> None:
    """Writes the requests into the SavedModel folder of a classifier, if `serving` is installed."""
    if not importlib.util.find_spec("tensorflow_serving"):
        return
    (model / FILE).parent.mkdir(exist_ok=True)
    with whole(model / FILE) as part, tf.io.TFRecordWriter(str(part)) as writer:
        for batch in BATCHES:
            for signature, inputs in examples(model, batch).items():
                writer.write(_request(signature, inputs))


def examples(model: Path, batch: int) -> dict[str, Inputs]:
    """Valid inputs of `batch` rows for each signature of a classifier, by the input's name."""
    vocabulary = model / "assets" / classifier.VOCABULARY
    if vocabulary.exists():
        return _texts(vocabulary, batch)
    graph = SavedModel.FromString((model / "saved_model.pb").read_bytes()).meta_graphs[0]
    signatures = graph.signature_def
    inputs = signatures[classifier.PREDICT].inputs
    if classifier.UINT8 in signatures:
        return _images(_shape(inputs["image"]), batch)
    found = {classifier.PREDICT: {name: _blank(t, batch) for name, t in inputs.items()}}
    for name in {classifier.CLASSIFY, classifier.REGRESS} & {*signatures}:
        found[name] = {"inputs": np.full(batch, b"", object)}  # rows, each without any value
    return found


def _blank(tensor: TensorInfo, batch: int) -> np.ndarray:
    dtype = tf.as_dtype(tensor.dtype)
    return np.full((batch, *_shape(tensor)), b"" if dtype == tf.string else 0, dtype.as_numpy_dtype)


def _shape(tensor: TensorInfo) -> tuple[int, ...]:
    return tuple(dimension.size for dimension in tensor.tensor_shape.dim[1:])


def _request(signature: str, inputs: Inputs) -> bytes:
    """A serialized PredictionLog with a request to `signature`."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    if signature in (classifier.CLASSIFY, classifier.REGRESS):
        of_examples = log.regress_log if signature == classifier.REGRESS else log.classify_log
        asked = of_examples.request
        asked.input.example_list.examples.extend(
            tf.train.Example.FromString(example) for example in inputs["inputs"]
        )
    else:
        asked = log.predict_log.request
        for name, value in inputs.items():
            asked.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    asked.model_spec.signature_name = signature
    return log.SerializeToString()


def _texts(vocabulary: Path, batch: int) -> dict[str, Inputs]:
    """Texts of the most frequent words."""
    words = vocabulary.read_bytes().split(b"\n")[2 : 2 + WORDS]
    text = b" ".join(words).strip()
    return {
        classifier.PREDICT: {"text": np.full(batch, text, object)},
        classifier.CLASSIFY: _tf_examples(classifier.TEXT_FEATURE, text, batch),
    }


def _images(shape: tuple[int, ...], batch: int) -> dict[str, Inputs]:
    """Black images."""
    black = np.zeros((batch, *shape), np.uint8)
    png = tf.io.encode_png(black[0]).numpy()
    return {
        classifier.PREDICT: {"image": black.astype(np.float32)},
        classifier.UINT8: {"image": black},
        classifier.ENCODED: {"image_bytes": np.full(batch, png, object)},
        classifier.CLASSIFY: _tf_examples(classifier.IMAGE_FEATURE, png, batch),
    }


def _tf_examples(feature: str, value: bytes, batch: int) -> Inputs:
    entry = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    features = tf.train.Features(feature={feature: entry})
    serialized = tf.train.Example(features=features).SerializeToString()
    return {"inputs": np.full(batch, serialized, object)}
