"""A trained network as a servable: texts, images, rows or arrays in, classes or a quantity out.

The whole way is in the graph, in TensorFlow's own operations: a server needs the SavedModel only.
"""

import abc
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction

from tf_distill.core import Learner, Weights, graph_function, task_for
from tf_distill.datasets import (
    UNKNOWN,
    Column,
    Encoding,
    ImageEncoding,
    TableEncoding,
    Target,
    TextEncoding,
    number_words,
)

Answer = dict[str, tf.Tensor]
PREDICT, CLASSIFY, REGRESS = "serving_default", "classify", "regress"
ENCODED, UINT8 = "serving_encoded", "serving_uint8"
TEXT_FEATURE, IMAGE_FEATURE = "text", "image/encoded"
VOCABULARY = "vocabulary.txt"


class Head(NamedTuple):
    """The form of the answers, from outputs `[batch, outputs]`.

    answer: what is told of each input. examples: the signature that takes tf.Examples, `classify`
    or `regress`; of_examples: its answer.
    """

    answer: Callable[[tf.Tensor], Answer]
    examples: str
    of_examples: Callable[[tf.Tensor], Answer]


def head_for(classes: Sequence[str], target: Target | None) -> Head:
    """Answers with a class of these, or with the target, a quantity."""
    if target:
        value = lambda outputs: tf.cast(  # noqa: E731
            task_for(target, 1).predict(outputs), tf.float32
        )
        return Head(
            lambda outputs: {"value": value(outputs)},
            REGRESS,
            lambda outputs: {"outputs": value(outputs)},
        )
    names = tuple(classes)

    def answer(logits: tf.Tensor) -> Answer:
        probabilities = class_probabilities(logits)
        class_id = tf.argmax(probabilities, axis=-1)
        label = tf.gather(tf.constant(names), class_id)
        return {"probabilities": probabilities, "class_id": class_id, "label": label}

    def classified(logits: tf.Tensor) -> Answer:
        scores = class_probabilities(logits)
        return {"classes": tf.broadcast_to(tf.constant(names), tf.shape(scores)), "scores": scores}

    return Head(answer, CLASSIFY, classified)


class Classifier(tf.Module, abc.ABC):
    """The parts of every served network: weights, and the form of the answer.

    Weights are in the learner's order. `encoding` leads from what is sent to what the network sees.
    """

    def __init__(self, learner: Learner, weights: Weights, head: Head, encoding: Encoding):
        super().__init__(name="classifier")
        self._learner, self._encoding, self._head = learner, encoding, head
        self.weights = [tf.Variable(w, trainable=False) for w in weights]

    @abc.abstractmethod
    def signatures(self) -> dict[str, ConcreteFunction]:
        """The functions to be served, by signature name."""

    def answer(self, x: tf.Tensor) -> Answer:
        """The answer for embedded inputs `[batch, ...]`.

        float32 probabilities `[batch, classes]`, int64 class_id and string label `[batch]`; or the
        float32 value `[batch]` of a quantity. All begin with the batch, as the REST API demands.
        """
        return self._head.answer(self._outputs(x))

    def of_examples(self, x: tf.Tensor) -> Answer:
        """The answer in the form of Serving's Classify, classes and scores, or of its Regress."""
        return self._head.of_examples(self._outputs(x))

    def _outputs(self, x: tf.Tensor) -> tf.Tensor:
        """The network's outputs for embedded inputs `[batch, ...]`."""
        batch, weights = tf.shape(x)[0], [tf.convert_to_tensor(w) for w in self.weights]
        # One input of zeros for an empty batch, at which oneDNN's kernels fail.
        x = tf.pad(x, [[0, tf.maximum(1 - batch, 0)], *([[0, 0]] * (len(x.shape) - 1))])
        return self._learner.apply(weights, x)[:batch]


class TextClassifier(Classifier):
    """Raw texts to answers: split, numbered, embedded and classified.

    The vocabulary becomes an asset: the number of a word is its line, counted from 0. The word
    vectors are a variable, since a graph is limited to 2 GB.
    """

    _encoding: TextEncoding

    def __init__(self, learner: Learner, weights: Weights, head: Head, encoding: TextEncoding):
        super().__init__(learner, weights, head, encoding)
        self.vectors = tf.Variable(encoding.vectors, trainable=False)
        scratch = tempfile.mkdtemp()  # as long as the asset may be copied from it
        weakref.finalize(self, shutil.rmtree, scratch)
        file = Path(scratch, VOCABULARY)
        lines = ["<padding>", "<unknown>", *encoding.words]  # no text has the first two
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        numbers = tf.lookup.TextFileInitializer(str(file), tf.string, line, tf.int64, number)
        of_lines = tf.lookup.StaticHashTable(numbers, UNKNOWN)
        self.tables = [of_lines, *encoding.tables()[1:]]  # further normal forms are no lines

    @graph_function
    def predict(self, text: tf.Tensor) -> Answer:
        """The answer for texts, strings `[batch]`."""
        return self.answer(self._embed(text))

    @graph_function
    def classify(self, inputs: tf.Tensor) -> Answer:
        """Classes and scores of serialized tf.Examples `[batch]` with a feature `text`."""
        return self.of_examples(self._embed(_feature(inputs, TEXT_FEATURE)))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes `text`, classify takes `inputs`."""
        return {
            PREDICT: _concrete(self.predict, [None], tf.string, "text"),
            self._head.examples: _concrete(self.classify, [None], tf.string, "inputs"),
        }

    def _embed(self, text: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.vectors, number_words(text, self.tables, self._encoding.length))


class ImageClassifier(Classifier):
    """Images to answers: decoded and resized if need be, normalised and classified."""

    _encoding: ImageEncoding

    @graph_function
    def predict(self, image: tf.Tensor) -> Answer:
        """The answer for float32 images `[batch, height, width, channels]` in 0..1."""
        return self.answer(self._encoding.normalise(self._sized(image)))

    @graph_function
    def predict_uint8(self, image: tf.Tensor) -> Answer:
        """The answer for uint8 images `[batch, height, width, channels]`."""
        return self.answer(self._encoding(self._sized(image)))

    @graph_function
    def predict_encoded(self, image_bytes: tf.Tensor) -> Answer:
        """The answer for files `[batch]` of `datasets.picture_files.FORMATS`, of any size."""
        return self.answer(self._decode(image_bytes))

    @graph_function
    def classify(self, inputs: tf.Tensor) -> Answer:
        """Classes and scores of serialized tf.Examples `[batch]` with `image/encoded`."""
        return self.of_examples(self._decode(_feature(inputs, IMAGE_FEATURE)))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes float images; the others take uint8, files and tf.Examples."""
        size = [None, *self._encoding.shape]
        return {
            PREDICT: _concrete(self.predict, size, tf.float32, "image"),
            UINT8: _concrete(self.predict_uint8, size, tf.uint8, "image"),
            ENCODED: _concrete(self.predict_encoded, [None], tf.string, "image_bytes"),
            self._head.examples: _concrete(self.classify, [None], tf.string, "inputs"),
        }

    def _sized(self, images: tf.Tensor) -> tf.Tensor:
        """The same images, checked: a server does not compare inputs with the signature's shape."""
        return tf.ensure_shape(images, [None, *self._encoding.shape])

    def _decode(self, files: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(self._encoding.read, files, fn_output_signature=tf.float32)


class TableClassifier(Classifier):
    """Rows to answers: an input for each column, with values as they stand in the table."""

    _encoding: TableEncoding

    @graph_function
    def predict(self, columns: Mapping[str, tf.Tensor]) -> Answer:
        """The answer for values `[batch]` by column: float64, or strings but for numbers."""
        return self.answer(self._embed(columns))

    @graph_function
    def classify(self, inputs: tf.Tensor) -> Answer:
        """The answer for serialized tf.Examples `[batch]` with a feature for each column.

        Numbers are float lists; a feature that is not there is a missing value.
        """
        features = {
            name: tf.io.FixedLenFeature([], tf.float32, float("nan"))
            if _is_float(column)
            else tf.io.FixedLenFeature([], tf.string, "")
            for name, column in self._named().items()
        }
        found = tf.io.parse_example(inputs, features)
        floats = {k: tf.cast(v, tf.float64) for k, v in found.items() if v.dtype != tf.string}
        return self.of_examples(self._embed(found | floats))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes an input for each column, classify or regress takes `inputs`."""
        specs = {
            name: tf.TensorSpec([None], tf.float64 if _is_float(column) else tf.string, name)
            for name, column in self._named().items()
        }
        return {
            PREDICT: self.predict.get_concrete_function(specs),
            self._head.examples: _concrete(self.classify, [None], tf.string, "inputs"),
        }

    def _named(self) -> dict[str, Column]:
        columns = self._encoding.columns
        return dict(zip(input_names(column.name for column in columns), columns, strict=True))

    def _embed(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self._encoding(self._encoding.stored([columns[name] for name in self._named()]))


def _is_float(column: Column) -> bool:
    return column.kind == "number"


def input_names(columns: Iterable[str]) -> list[str]:
    """Names of inputs for columns: letters, digits and _ alone, and each another one."""
    names: list[str] = []
    for i, column in enumerate(columns, 1):
        name = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_")
        if not re.match("[A-Za-z]", name):
            name = f"column_{name or i}"
        names.append(name if name not in names else f"{name}_{i}")
    return names


class ArrayClassifier(Classifier):
    """Arrays to answers: encoded and classified."""

    @graph_function
    def predict(self, array: tf.Tensor) -> Answer:
        """The answer for float32 arrays `[batch, ...]` as they were given for training."""
        return self.answer(self._encoding(tf.ensure_shape(array, [None, *self._encoding.shape])))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes `array`."""
        shape = [None, *self._encoding.shape]
        return {PREDICT: _concrete(self.predict, shape, tf.float32, "array")}


def classifier_for(
    learner: Learner,
    weights: Weights,
    classes: Sequence[str],
    encoding: Encoding,
    target: Target | None = None,
) -> Classifier:
    """The servable of a trained network, for the kind of its inputs.

    `classes` are in the order of the outputs; with a `target` it answers with a quantity.
    """
    kinds: dict[type, type[Classifier]]
    kinds = {
        TextEncoding: TextClassifier,
        ImageEncoding: ImageClassifier,
        TableEncoding: TableClassifier,
    }
    head = head_for(classes, target)
    return kinds.get(type(encoding), ArrayClassifier)(learner, weights, head, encoding)


def class_probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Logits `[batch, outputs]` to `[batch, classes]`: a softmax, or both sides of a sigmoid."""
    if logits.shape[-1] == 1:
        return tf.sigmoid(tf.concat([-logits, logits], axis=-1))
    return tf.nn.softmax(logits)


def _concrete(function, shape, dtype: tf.DType, name: str) -> ConcreteFunction:
    return function.get_concrete_function(tf.TensorSpec(shape, dtype, name))


def _feature(examples: tf.Tensor, name: str) -> tf.Tensor:
    """One string feature, `[batch]`, of serialized tf.Examples `[batch]`."""
    return tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.string)})[name]
