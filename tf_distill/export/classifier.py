"""A trained network as a servable: texts, images or arrays in, classes and probabilities out.

The whole way is in the graph, in TensorFlow's own operations: a server needs the SavedModel only.
"""

import abc
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction

from tf_distill.core import Learner, Weights, graph_function
from tf_distill.datasets import (
    PADDING,
    UNKNOWN,
    Encoding,
    ImageEncoding,
    TextEncoding,
    number_words,
)

Answer = dict[str, tf.Tensor]
PREDICT, CLASSIFY = "serving_default", "classify"
ENCODED, UINT8 = "serving_encoded", "serving_uint8"
TEXT_FEATURE, IMAGE_FEATURE = "text", "image/encoded"
VOCABULARY = "vocabulary.txt"


class Classifier(tf.Module, abc.ABC):
    """The parts of every served classifier: weights, classes, and the form of the answer.

    Args:
        learner: the network.
        weights: trained, in the learner's order.
        classes: their names, in the order of the outputs.
    """

    def __init__(self, learner: Learner, weights: Weights, classes: Sequence[str]):
        super().__init__(name="classifier")
        self._learner = learner
        self._classes = tuple(classes)
        self.weights = [tf.Variable(w, trainable=False) for w in weights]

    @abc.abstractmethod
    def signatures(self) -> dict[str, ConcreteFunction]:
        """The functions to be served, by signature name."""

    def answer(self, x: tf.Tensor) -> Answer:
        """The answer for embedded inputs `[batch, ...]`.

        Returns:
            probabilities: float32 `[batch, classes]`; class_id: int64 `[batch]`; label:
            string `[batch]`. All begin with the batch, as the REST API demands.
        """
        weights = [tf.convert_to_tensor(w) for w in self.weights]
        logits = self._learner.apply(weights, _never_empty(x))[: tf.shape(x)[0]]
        probabilities = class_probabilities(logits)
        class_id = tf.argmax(probabilities, axis=-1)
        label = tf.gather(tf.constant(self._classes), class_id)
        return {"probabilities": probabilities, "class_id": class_id, "label": label}

    def classified(self, x: tf.Tensor) -> Answer:
        """The answer in the form of Serving's Classify: classes and scores, `[batch, classes]`."""
        scores = self.answer(x)["probabilities"]
        classes = tf.broadcast_to(tf.constant(self._classes), tf.shape(scores))
        return {"classes": classes, "scores": scores}


class TextClassifier(Classifier):
    """Raw texts to answers: split, numbered, embedded and classified.

    The vocabulary becomes an asset: the number of a word is its line, counted from 0. The word
    vectors are a variable, since a graph is limited to 2 GB.

    Args:
        learner: the network.
        weights: trained.
        classes: their names.
        encoding: the words, their vectors, and how many words of a text count.
    """

    def __init__(
        self, learner: Learner, weights: Weights, classes: Sequence[str], encoding: TextEncoding
    ):
        super().__init__(learner, weights, classes)
        self._length = encoding.length
        self.vectors = tf.Variable(encoding.vectors, trainable=False)
        scratch = tempfile.mkdtemp()  # as long as the asset may be copied from it
        weakref.finalize(self, shutil.rmtree, scratch)
        file = Path(scratch, VOCABULARY)
        file.write_text("\n".join(vocabulary_lines(encoding.words)) + "\n", encoding="utf-8")
        self.table = tf.lookup.StaticHashTable(_line_numbers(file), UNKNOWN)

    @graph_function
    def predict(self, text: tf.Tensor) -> Answer:
        """The answer for texts, strings `[batch]`."""
        return self.answer(self._embed(text))

    @graph_function
    def classify(self, inputs: tf.Tensor) -> Answer:
        """Classes and scores of serialized tf.Examples `[batch]` with a feature `text`."""
        return self.classified(self._embed(_feature(inputs, TEXT_FEATURE)))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes `text`, classify takes `inputs`."""
        return {
            PREDICT: _concrete(self.predict, [None], tf.string, "text"),
            CLASSIFY: _concrete(self.classify, [None], tf.string, "inputs"),
        }

    def _embed(self, text: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.vectors, number_words(text, self.table, self._length))


class ImageClassifier(Classifier):
    """Images to answers: decoded and resized if need be, normalised and classified.

    Args:
        learner: the network.
        weights: trained.
        classes: their names.
        encoding: size and normalisation.
    """

    def __init__(
        self, learner: Learner, weights: Weights, classes: Sequence[str], encoding: ImageEncoding
    ):
        super().__init__(learner, weights, classes)
        self._encoding = encoding

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
        """The answer for PNG or JPEG files `[batch]` of any size, grey or colour."""
        return self.answer(self._decode(image_bytes))

    @graph_function
    def classify(self, inputs: tf.Tensor) -> Answer:
        """Classes and scores of serialized tf.Examples `[batch]` with `image/encoded`."""
        return self.classified(self._decode(_feature(inputs, IMAGE_FEATURE)))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes float images; the others take uint8, files and tf.Examples."""
        size = [None, *self._encoding.shape]
        return {
            PREDICT: _concrete(self.predict, size, tf.float32, "image"),
            UINT8: _concrete(self.predict_uint8, size, tf.uint8, "image"),
            ENCODED: _concrete(self.predict_encoded, [None], tf.string, "image_bytes"),
            CLASSIFY: _concrete(self.classify, [None], tf.string, "inputs"),
        }

    def _sized(self, images: tf.Tensor) -> tf.Tensor:
        """The same images, checked: a server does not compare inputs with the signature's shape."""
        return tf.ensure_shape(images, [None, *self._encoding.shape])

    def _decode(self, files: tf.Tensor) -> tf.Tensor:
        height, width, channels = self._encoding.shape

        def decode(file: tf.Tensor) -> tf.Tensor:
            image = tf.io.decode_image(file, channels, expand_animations=False)
            image = tf.cast(image, tf.float32) / 255.0
            image = tf.image.resize(image, (height, width), antialias=True)
            return tf.ensure_shape(image, self._encoding.shape)

        images = tf.map_fn(decode, files, fn_output_signature=tf.float32)
        return self._encoding.normalise(images)


class ArrayClassifier(Classifier):
    """Arrays to answers: encoded and classified.

    Args:
        learner: the network.
        weights: trained.
        classes: their names.
        encoding: from arrays of `encoding.shape` to what the network sees.
    """

    def __init__(
        self, learner: Learner, weights: Weights, classes: Sequence[str], encoding: Encoding
    ):
        super().__init__(learner, weights, classes)
        self._encoding = encoding

    @graph_function
    def predict(self, array: tf.Tensor) -> Answer:
        """The answer for float32 arrays `[batch, ...]` as they were given for training."""
        return self.answer(self._encoding(tf.ensure_shape(array, [None, *self._encoding.shape])))

    def signatures(self) -> dict[str, ConcreteFunction]:
        """serving_default takes `array`."""
        return {
            PREDICT: _concrete(self.predict, [None, *self._encoding.shape], tf.float32, "array")
        }


def classifier_for(
    learner: Learner, weights: Weights, classes: Sequence[str], encoding: Encoding
) -> Classifier:
    """The servable of a trained network, for the kind of its inputs."""
    if isinstance(encoding, TextEncoding):
        return TextClassifier(learner, weights, classes, encoding)
    if isinstance(encoding, ImageEncoding):
        return ImageClassifier(learner, weights, classes, encoding)
    return ArrayClassifier(learner, weights, classes, encoding)


def class_probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Logits `[batch, outputs]` to `[batch, classes]`: a softmax, or both sides of a sigmoid."""
    if logits.shape[-1] == 1:
        return tf.sigmoid(tf.concat([-logits, logits], axis=-1))
    return tf.nn.softmax(logits)


def _never_empty(x: tf.Tensor) -> tf.Tensor:
    """The same inputs, or one of zeros for an empty batch, at which oneDNN's kernels fail."""
    return tf.pad(x, [[0, tf.maximum(1 - tf.shape(x)[0], 0)], *([[0, 0]] * (len(x.shape) - 1))])


def vocabulary_lines(words: Sequence[str]) -> list[str]:
    """The words in the order of their numbers; no text has the two special names."""
    special = {PADDING: "<padding>", UNKNOWN: "<unknown>"}
    return [*(special[i] for i in sorted(special)), *words]


def _line_numbers(file: Path) -> tf.lookup.TextFileInitializer:
    line, line_number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
    return tf.lookup.TextFileInitializer(str(file), tf.string, line, tf.int64, line_number)


def _concrete(function, shape, dtype: tf.DType, name: str) -> ConcreteFunction:
    return function.get_concrete_function(tf.TensorSpec(shape, dtype, name))


def _feature(examples: tf.Tensor, name: str) -> tf.Tensor:
    """One string feature, `[batch]`, of serialized tf.Examples `[batch]`."""
    return tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.string)})[name]
