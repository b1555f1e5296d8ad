"""A distilled set to train networks on; and the frozen weights of a run's folder."""

import dataclasses
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_distill.common import (
    UserError,
    brief,
    is_own_network,
    network_name,
    size_of_set,
    whole,
)
from tf_distill.core import (
    Learner,
    Optimizer,
    Recipe,
    Samples,
    Task,
    Weights,
    call_once,
    compiled_train,
    give_frozen,
    give_weights,
    recipe_of,
    task_for,
)
from tf_distill.datasets import (
    UNKNOWN,
    ArrayEncoding,
    Column,
    Encoding,
    ImageEncoding,
    TableEncoding,
    Target,
    TextEncoding,
    stored,
)
from tf_distill.networks import NETWORKS, check_outputs, outputs_for

HOW_TO_TRAIN = {
    "replay": (
        "for t in range(len(lr)): take samples x[t % steps] and labels y[t % steps], all of them "
        "as one batch; weights -= lr[t] * gradient of the mean over the batch of {loss}"
    ),
    "training": (
        "any ordinary training; it was measured so: for t in range(len(lr)), each epoch deals all "
        "samples anew to len(x) minibatches; inner_optimizer (momentum is 0.9, the rest Keras's "
        "own defaults) takes lr[t] and the gradient of the mean over the minibatch of {loss}"
    ),
}
"""By the `use` of a set, for programs without this package."""
LOSSES = {
    "classes": "-sum(y * log_softmax(logits)) or, with one logit, of sigmoid cross-entropy with "
    "labels y",
    "regression": "(output - y)^2; the quantity is output * std + mean of `target`",
}
BY_NUMBERS = {"image": ImageEncoding, "array": ArrayEncoding}
"""Encodings that the metadata of a set fully describe."""
MOMENTS = ("mean", "std")
FORMAT = 2
"""The newest format of a set: 1 is that of a SavedModel, 2 that of a set folder."""
EXPECTED = "expected a folder such as <run_dir>/set/1"
FROZEN_NAME = "frozen_weights.npz"


@dataclasses.dataclass(frozen=True, repr=False)
class LoadedSet:
    """A distilled set to train networks on.

    samples: x `[steps, n, ...]`, y `[steps, n, outputs]`, lr `[epochs * steps]`, float32.
    initial_weights: what training starts from for a fixed initialization, else empty.
    metadata: what the numbers mean: classes, network, input and more.
    build: makes the user's own network that the set was distilled for; None in a set from disk.
    frozen_weights: the values of Keras's non_trainable_weights; mostly empty.
    vectors: of the words of a set for texts, float32 `[words, dimension]`, or None.
    """

    samples: Samples
    initial_weights: Weights
    metadata: dict[str, Any]
    build: Callable[[], keras.Model] | None = None
    frozen_weights: Weights = dataclasses.field(default_factory=list)
    vectors: np.ndarray | None = None

    def __repr__(self) -> str:
        size = size_of_set(self.samples.x.shape, self.samples.lr.shape[0])
        name, init = self.metadata.get("dataset"), "fixed" if self.initial_weights else "random"
        return f"<distilled {name}: {size}; for {self._network_name}, {init} initialization>"

    def network(self) -> keras.Model:
        """The network that the set was distilled for, with its frozen and its initial weights.

        Raises:
            UserError: this version has no network of that name, or it was one of your own.
        """
        name = self.metadata["network"]
        if self.build:
            model = self.build()
        elif is_own_network(name):
            raise UserError(
                f"the set was distilled for a network of your own, {self._network_name}; make it, "
                "and hand it to train()"
            )
        else:
            model = NETWORKS[name].build(self._shape, self.samples.y.shape[-1])
        if self.initial_weights or self.frozen_weights:
            call_once(model, self._shape)  # builds it
            self._give_weights(model)
        return model

    @property
    def recipe(self) -> Recipe:
        """How networks are trained on the set."""
        return recipe_of(self.metadata, self.metadata.get("input", {}), self.task.losses)

    @property
    def target(self) -> Target | None:
        """The quantity that the labels stand for; None for classes."""
        described = self.metadata.get("target")
        return Target(*map(described.get, Target._fields)) if described else None

    @property
    def task(self) -> Task:
        """The loss of the set, and what its labels mean."""
        return task_for(self.target, self.samples.y.shape[-1])

    @property
    def encoding(self) -> Encoding | None:
        """From stored inputs, such as pixels, to those of the network, as the set has them.

        None for texts without word vectors, and for inputs of an encoding of your own.
        """
        described = self.metadata["input"]
        if make := BY_NUMBERS.get(described["kind"]):
            numbers = (tuple(described[name]) for name in ("shape", "mean", "std"))
            return make(*numbers, **{k: v for k, v in described.items() if k == "white"})
        if described["kind"] == TableEncoding.kind:
            return TableEncoding(map(Column.of, described["columns"]))
        if self.vectors is None:
            return None
        return TextEncoding(described["vocabulary"], self.vectors, described["shape"][0])

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """The samples as NumPy arrays for Keras's fit: x `[M, ...]`, y `[M, outputs]`.

        For two classes y is the probability of the second: use a binary cross-entropy. A quantity
        is standardised: use a mean squared error; `quantities` has its units.
        """
        x, y = (np.asarray(v) for v in self.samples[:2])
        return x.reshape(-1, *x.shape[2:]), y.reshape(-1, y.shape[-1])

    def unscaled(self) -> np.ndarray:
        """The samples `[M, ...]` without the factor that they started with (`sample_scale`).

        So they can be compared with the data, as the network sees these.
        """
        return self.arrays()[0] / np.float32(self.metadata.get("sample_scale", 1.0))

    def rows(self) -> list[dict[str, str]]:
        """The samples of a set for a table as people write them, each with its label.

        Numbers have their units again, categories are the nearest ones, "" is a missing value.
        `pandas.DataFrame(distilled.rows())` makes a table of them.

        Raises:
            UserError: the set is for other data.
        """
        encoding = self.encoding
        if not isinstance(encoding, TableEncoding):
            raise UserError(f"{self.metadata.get('dataset')} has no columns; rows are for tables")
        x = self.arrays()[0]
        names = [column.name for column in encoding.columns]
        if self.target:
            labels = [self.target.name]
            values = [[caption] for caption in self.captions()]
        else:
            labels = [f"label {name}" for name in self.metadata["classes"]]
            values = [[f"{v:.4f}" for v in label] for label in self.label_distributions()]
        return [
            dict(zip([*names, *labels], [*row, *label], strict=True))
            for row, label in zip(encoding.written(encoding.decode(x)), values, strict=True)
        ]

    def encode(self, inputs: Any) -> np.ndarray:
        """Raw inputs as those of a network that was trained on the set, in its preprocessing.

        Args:
            inputs: texts; or images, as paths of files or as an array of pixels
                `[N, height, width]` or `[N, height, width, channels]`, scaled to the size of the
                set; or a table with the columns of the data; or numbers `[N, ...]`.

        Returns:
            float32 `[N, ...]`, as the set's samples.

        Raises:
            UserError: inputs of another kind or shape, files that can't be read, or a set
                without the vectors of its words.
        """
        if (encoding := self.encoding) is None:
            raise UserError(
                "the set does not say how its inputs are encoded; put vectors.npz back into the "
                "folder of a set for texts, or encode them as you did for the distillation"
            )
        return np.asarray(encoding(stored(encoding, inputs)))

    def train(
        self, model: keras.Model, optimizer: Optimizer | None = None, order: int = 0
    ) -> keras.Model:
        """Trains a Keras model on the set, as the set expects it.

        That is its own steps (equation 2), or ordinary training by shuffled minibatches.

        Args:
            model: from embedded inputs to logits; functional, sequential or subclassed, built
                or not. It starts from the set's initial weights if the set has some, else from
                its own. Its frozen layers take the set's frozen weights.
            optimizer: in place of the set's own.
            order: the number of the random order of shuffled minibatches.

        Returns:
            The same model, trained.

        Raises:
            UserError: the model's inputs, outputs or weights don't fit the set, or it gives
                probabilities instead of logits.
        """
        self._check_inputs(model)
        check_outputs(model, self._shape, self.samples.y.shape[-1])
        self._give_weights(model)
        learner = Learner(model, self._shape)
        start = [tf.convert_to_tensor(v.value) for v in model.trainable_variables]
        samples = Samples(*(tf.cast(v, start[0].dtype) for v in self.samples))
        recipe = self.recipe._replace(optimizer=optimizer or self.recipe.optimizer)
        give_weights(
            model.trainable_variables, compiled_train(learner, recipe)(samples, start, order)
        )
        return model

    def label_distributions(self) -> np.ndarray:
        """The labels with a number for each class, also where there are two: `[M, classes]`.

        Raises:
            UserError: the labels are a quantity.
        """
        if self.target:
            raise UserError(f"the labels are {self.target.name}, no classes; quantities() has them")
        y = self.arrays()[1]
        return np.concatenate([1 - y, y], axis=1) if y.shape[1] == 1 else y

    def quantities(self) -> np.ndarray:
        """The labels of a set for regression in the units of the data, float64 `[M]`.

        Raises:
            UserError: the labels are classes.
        """
        if not self.target:
            raise UserError("the labels are classes; label_distributions() has them")
        return np.asarray(self.task.predict(tf.constant(self.arrays()[1])))

    def captions(self) -> list[str]:
        """The label of each sample in a word: a quantity, or the class with the largest number."""
        if self.target:
            return [self.target.written(value) for value in self.quantities()]
        return [self.metadata["classes"][i] for i in self.label_distributions().argmax(1)]

    @property
    def file_name(self) -> str:
        """Of the data and the network, such as trec6_bilstm."""
        name = f"{self.metadata['dataset']}_{self.metadata['network']}"
        return re.sub(r"\W+", "_", name.lower())

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.samples.x.shape[2:])

    @property
    def _network_name(self) -> str:
        return network_name(self.metadata.get("network"))

    def _check_inputs(self, model: keras.Model) -> None:
        outputs = self.samples.y.shape[-1]
        try:
            takes, gives = tuple(model.input_shape[1:]), model.output_shape[-1]
        except (AttributeError, TypeError):  # subclassed or unbuilt: found by calling it
            takes, gives = self._shape, outputs_for(model, self._shape)
        fits = len(takes) == len(self._shape) and all(
            t in (None, s) for s, t in zip(self._shape, takes, strict=True)
        )
        if not fits or outputs != gives:
            raise UserError(
                f"the model maps {takes} to {gives} outputs, but the distilled set has samples of "
                f"{self._shape} and labels of {outputs}; build the model for these"
            )
        if not model.trainable_variables:
            raise UserError("the model has no trainable weights; leave some layers unfrozen")

    def _give_weights(self, model: keras.Model) -> None:
        """Gives a built model the set's weights; warns if its frozen weights don't match."""
        start, frozen = self.initial_weights, self.frozen_weights
        if start and not give_weights(model.trainable_variables, start):
            raise UserError(
                f"the set was distilled for one fixed initial {self._network_name}, and the "
                "model's trainable weights have other shapes; use that network, with the same "
                "layers frozen, or a set for random initialization"
            )
        found = len(model.non_trainable_weights)
        expected = len(frozen) or self.metadata.get("frozen_weights", 0)  # old sets only count them
        if give_frozen(model, frozen) or (not frozen and found == expected):
            return
        warnings.warn(
            f"{found} weights of {model.name} are frozen and stay as they are, but the set was "
            f"distilled for a network with {expected}{' of other shapes' * (found == expected)}",
            stacklevel=3,
        )


def check_format(path: Path, metadata: Mapping[str, Any]) -> None:
    """Raises UserError for metadata of a format that this version does not read."""
    found = metadata.get("format")
    if type(found) is not int:
        raise UserError(f"{path} is no distilled set; {EXPECTED}")
    if not 1 <= found <= FORMAT:
        advice = "install a newer one" if found > FORMAT else "distill the set again"
        reads = f"this tf_distill reads 1 to {FORMAT}"
        raise UserError(f"{path} has format {brief(found)}, {reads}; {advice}")


def unsound(path: Path, reason: str) -> UserError:
    """The error for a damaged set."""
    told = " ".join(reason.split())[:300]
    return UserError(f"{path} is no sound distilled set ({told}); export it again, or name another")


def _check_labels(classes: Sequence[str], target: Target | None, numbers: int) -> None:
    """Raises ValueError if labels of so many numbers don't fit the classes or the target."""
    if bool(classes) == bool(target):
        raise ValueError("both classes and a target" if target else "neither classes nor a target")
    if target and not (np.isfinite(target.mean) and 0 < target.std < np.inf):
        raise ValueError(f"a target of mean {target.mean} and std {target.std}")
    if len({*classes}) < len(classes):
        raise ValueError("two classes of one name")
    if numbers != (1 if target or len(classes) == 2 else len(classes)):
        raise ValueError(f"labels of {numbers} numbers for {len(classes)} classes")


def how_to_train(metadata: Mapping[str, Any]) -> str:
    """How to train on a set of this metadata, for programs without this package."""
    loss = LOSSES["regression" if metadata.get("target") else "classes"]
    return HOW_TO_TRAIN[metadata.get("use", "replay")].format(loss=loss)


def word_vectors(encoding: Encoding) -> np.ndarray | None:
    """The vectors of the words of texts, `[words, dimension]`; None for other inputs."""
    return encoding.vectors[UNKNOWN + 1 :].numpy() if isinstance(encoding, TextEncoding) else None


def check(loaded: LoadedSet) -> None:
    """Raises ValueError if the parts of a set fit neither each other nor its metadata."""
    metadata, input_ = loaded.metadata, loaded.metadata["input"]
    x, y, lr = (tuple(v.shape) for v in loaded.samples)
    if len(x) < 3 or len(y) != 3 or len(lr) != 1 or x[:2] != y[:2] or 0 in (*x, *y, *lr):
        raise ValueError(f"shapes of x, y and lr are {x}, {y} and {lr}")
    if lr[0] % x[0]:
        raise ValueError(f"{lr[0]} learning rates are no multiple of {x[0]} steps")
    if not all(tf.as_dtype(v.dtype).is_floating for v in loaded.samples):
        raise ValueError("x, y and lr are not all floats")
    numbers = [*loaded.samples, *loaded.initial_weights, *(input_.get(n, 0) for n in MOMENTS)]
    if not all(np.isfinite(np.asarray(v, np.float64)).all() for v in numbers):
        raise ValueError("numbers that are not finite")
    shape = tuple(input_["shape"])
    _check_labels(metadata["classes"], loaded.target, y[2])
    if x[2:] != shape:
        raise ValueError(f"x of shape {x[2:]}, and metadata of {shape}")
    if input_["kind"] in BY_NUMBERS and not all(name in input_ for name in MOMENTS):
        raise ValueError("there is no mean and std")
    if input_["kind"] == TableEncoding.kind:
        seen = TableEncoding(map(Column.of, input_.get("columns", []))).shape
        if seen != shape:
            raise ValueError(f"columns that make the shape {seen}, expected {shape}")
    if not all(len(input_[name]) in (1, shape[-1]) for name in MOMENTS if name in input_):
        raise ValueError(f"mean and std of {shape[-1]} channels have other lengths")
    if metadata.get("init") == "fixed" and not loaded.initial_weights:
        raise ValueError("init is fixed, but there are no initial weights")


def write_frozen(folder: Path, values: Sequence[tf.Tensor | np.ndarray]) -> None:
    """Writes frozen weights to a folder, in order; no file if there are none."""
    if values:
        arrays = [np.asarray(value) for value in values]
        with whole(folder / FROZEN_NAME) as part, part.open("wb") as file:
            # numpy can't store bfloat16 and the like, which have kind V
            np.savez(file, *(a.astype(np.float32) if a.dtype.kind == "V" else a for a in arrays))


def read_frozen(folder: Path) -> list[np.ndarray]:
    """The frozen weights in a folder, in order; UserError if their file can't be read."""
    path = folder / FROZEN_NAME
    if not path.exists():
        return []
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"can't read {path} ({error}); put it back, or name another run_dir"
        ) from error
