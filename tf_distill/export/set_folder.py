"""A distilled set as a folder of plain files: to send, and to read without TensorFlow.

| file | has |
| --- | --- |
| card.json | what the set is: data, network, training, accuracy; shapes of arrays, and SHA-256 |
| set.npz | float32 x, y, lr; initial_0, initial_1, ... and frozen_0, ... where the set needs them |
| vocabulary.txt | for texts: a word a line; the first has the number 2 |
| vectors.npz | for texts: the words' vectors; may be left out: `input` has their SHA-256 |
| samples/ | PNG files, sentences.txt or rows.csv, for a person |
| README.md | the card in words, and how to train on the set |

The card is the metadata of a `LoadedSet`, with `arrays` and `sha256` beside them. The latter are
those of each array, of each other part of the card, and of vocabulary.txt.
"""

import csv
import hashlib
import inspect
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tf_distill.common import (
    UserError,
    check_schema,
    is_own_network,
    read_json,
    read_npz_arrays,
    spread_words,
    whole,
    write_json,
    write_new,
    write_text,
)
from tf_distill.core import Samples, Weights
from tf_distill.datasets import DATASETS, TableEncoding
from tf_distill.export import saved_model
from tf_distill.export.distilled_set import (
    EXPECTED,
    FORMAT,
    MOMENTS,
    LoadedSet,
    check,
    check_format,
    how_to_train,
    unsound,
)
from tf_distill.export.versions import newest_version
from tf_distill.networks import check_keras

CARD, ARRAYS, VECTORS, VOCABULARY = "card.json", "set.npz", "vectors.npz", "vocabulary.txt"
SENTENCES, ROWS = Path("samples", "sentences.txt"), Path("samples", "rows.csv")
DECIDING = ("classes", "target", "input", "network", "use", "inner_optimizer", "augment",
            "accuracy", "eval_split", "seed")  # fmt: skip
"""Parts of the card that decide what a training gives. Early cards have a SHA-256 of these alone,
later ones of every part."""
APART = ("sentences", "initial_weights", "frozen_weights")
"""Metadata that the card does not have: they are in other files."""
Json = dict[str, Any]
Arrays = dict[str, np.ndarray]


def save(distilled: LoadedSet, path: str | Path) -> Path:
    """Writes a set as a new folder of plain files, whole or not at all.

    Args:
        distilled: the set.
        path: the folder.

    Returns:
        The folder.

    Raises:
        UserError: there is something at `path` already, or it can't be written.
    """
    return write_new(Path(path).expanduser(), lambda folder: write(folder, distilled))


def write(folder: Path, distilled: LoadedSet) -> None:
    """The same in place of a folder that may be there."""
    arrays, files = arrays_of(distilled), text_files(distilled)
    card = card_of(distilled, arrays)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole(folder) as part:
        part.mkdir()
        np.savez(part / ARRAYS, **arrays)  # type: ignore[arg-type]
        if distilled.vectors is not None:
            np.savez(part / VECTORS, vectors=distilled.vectors)
        write_json(part / CARD, card)
        for name, text in {**files, "README.md": readme(card)}.items():
            (part / name).parent.mkdir(exist_ok=True)
            write_text(part / name, text)
        _write_pictures(part / "samples", distilled)


def arrays_of(distilled: LoadedSet) -> Arrays:
    """The arrays of set.npz by name."""
    lists = {"initial": distilled.initial_weights, "frozen": distilled.frozen_weights}
    samples = zip(Samples._fields, distilled.samples, strict=True)
    arrays = {name: np.asarray(value, np.float32) for name, value in samples}
    for name, values in lists.items():
        for i, value in enumerate(map(np.asarray, values)):
            # numpy can't store bfloat16 and the like, which have kind V
            plain = value.astype(np.float32) if value.dtype.kind == "V" else value
            arrays[f"{name}_{i}"] = plain
    return arrays


def card_of(distilled: LoadedSet, arrays: Arrays) -> Json:
    """The card of a set with these arrays."""
    card = {name: v for name, v in plain_metadata(distilled).items() if name not in APART}
    card["input"].pop("vocabulary", None)
    if distilled.vectors is not None:
        card["input"]["vectors"] = digest(distilled.vectors)
    card["format"] = FORMAT
    digests = {name: digest(array) for name, array in arrays.items()}
    digests |= {name: digest(part) for name, part in card.items()}
    if words := text_files(distilled).get(VOCABULARY):
        digests[VOCABULARY] = digest(words.encode())
    return {**card, "arrays": {n: [*a.shape] for n, a in arrays.items()}, "sha256": digests}


def plain_metadata(distilled: LoadedSet) -> Json:
    """The metadata as JSON gives them back, with how to train."""
    how = how_to_train(distilled.metadata)
    return json.loads(json.dumps({"how_to_train": how, **distilled.metadata}))


def text_files(distilled: LoadedSet) -> dict[str, str]:
    """The contents of vocabulary.txt, sentences.txt and rows.csv, as far as the set has them."""
    metadata = distilled.metadata
    lines = {VOCABULARY: metadata["input"].get("vocabulary"), SENTENCES: metadata.get("sentences")}
    files = {str(name): "\n".join([*some, ""]) for name, some in lines.items() if some is not None}
    if metadata["input"]["kind"] == TableEncoding.kind:
        files[str(ROWS)] = _as_csv(distilled.rows())
    return files


def _as_csv(rows: Sequence[Mapping[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def digest(value: Any) -> str:
    """The SHA-256 of bytes, of an array's bytes, or of JSON with sorted keys."""
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    elif not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()


def load(path: str | Path) -> LoadedSet:
    """Loads a distilled set.

    Args:
        path: the folder of a run or of an export, of which the newest set is taken; or that of
            the set itself, of plain files or a SavedModel; or its card.json. All are read as data:
            nothing in them is run.

    Raises:
        UserError: there is no distilled set, a damaged one, or one of a newer format; or Keras has
            another backend, precision or order of axes.
    """
    check_keras()
    folder = Path(path).expanduser()
    if folder.name == CARD:
        folder = folder.parent
    if (place := find(folder)) is None:
        raise UserError(f"{folder} is no distilled set; {EXPECTED}")
    return read(place) if (place / CARD).is_file() else saved_model.read(place)


def find(folder: Path) -> Path | None:
    """The set's own folder: the newest of a run, an export or a folder of versions, or itself."""
    if _is_set(folder):
        return folder
    places = (folder / "set", folder / "distilled", folder)
    return next(filter(None, (newest_version(place, _is_set) for place in places)), None)


def _is_set(folder: Path) -> bool:
    return (folder / CARD).is_file() or saved_model.is_set(folder)


def read(folder: Path) -> LoadedSet:
    """Reads a set folder, and checks each array and each part of the card.

    Raises:
        UserError: it is damaged, of a newer format, or has been changed since it was written.
    """
    card = read_json(folder / CARD)
    check_format(folder, card)
    check_schema(folder / CARD, card)
    shapes, digests = card.pop("arrays"), card.pop("sha256")
    arrays = read_npz_arrays(folder / ARRAYS, shapes, required=shapes, packed=False)
    try:
        for name, array in arrays.items():
            _check_array(name, array, shapes[name], digests)
        written = card if "format" in digests else DECIDING
        for name in sorted({*written, *digests} - arrays.keys() - {VOCABULARY}):
            if name in card or name in digests:
                _check_digest(f"{name} in {CARD}", card.get(name), digests.get(name))
        if VOCABULARY in digests:
            words = (folder / VOCABULARY).read_bytes()
            _check_digest(VOCABULARY, words, digests[VOCABULARY])
            card["input"]["vocabulary"] = words.decode().split("\n")[:-1]
        if (folder / SENTENCES).is_file():
            card["sentences"] = (folder / SENTENCES).read_text(encoding="utf-8").split("\n")[:-1]
        vectors = _vectors(folder, card["input"])
        initial, frozen = (_numbered(name, arrays) for name in ("initial", "frozen"))
        samples = Samples(*(tf.constant(arrays[name]) for name in Samples._fields))
        loaded = LoadedSet(samples, initial, card, None, frozen, vectors)
        check(loaded)
    except (ValueError, OSError) as error:
        raise unsound(folder, str(error)) from error
    return loaded


def _check_array(name: str, array: np.ndarray, shape: Any, digests: Mapping[str, Any]) -> None:
    weights = name.startswith(("initial_", "frozen_"))  # which may have other types
    if array.dtype.kind not in "fiub" or not (weights or array.dtype == np.float32):
        raise ValueError(f"{name} has numbers of the type {array.dtype}, expected float32")
    if [*array.shape] != shape:
        raise ValueError(f"{name} has the shape {[*array.shape]}, and {CARD} says {shape}")
    _check_digest(name, array, digests.get(name))


def _check_digest(name: str, value: Any, expected: Any) -> None:
    if digest(value) != expected:
        raise ValueError(f"{name} has been changed: its SHA-256 is not the one in {CARD}")


def _numbered(name: str, arrays: Arrays) -> Weights:
    """The arrays name_0, name_1, ..."""
    names = [f"{name}_{i}" for i in range(sum(key.startswith(f"{name}_") for key in arrays))]
    if lost := [name for name in names if name not in arrays]:
        raise ValueError(f"there is no {lost[0]}")
    return [tf.constant(arrays[name]) for name in names]


def _vectors(folder: Path, described: Json) -> np.ndarray | None:
    """The word vectors, if they are there."""
    if described["kind"] != "text" or not (folder / VECTORS).is_file():
        return None
    found = read_npz_arrays(folder / VECTORS, ("vectors",), ("vectors",), packed=False)["vectors"]
    shape = [len(described.get("vocabulary", [])), *described["shape"][-1:]]
    _check_array("vectors", found, shape, described)
    return found


def pictures(distilled: LoadedSet) -> list[Image.Image]:
    """Samples in grey or colour as pixels, cut to what these can show; [] for other samples."""
    described, x = distilled.metadata["input"], distilled.arrays()[0]
    if described["kind"] != "image" or x.shape[-1] not in (1, 3):
        return []
    mean, std = (np.asarray(described[name]) for name in MOMENTS)
    pixels = np.clip(255 * (x * std + mean), 0, 255).round().astype(np.uint8)
    return [Image.fromarray(one[..., 0] if one.shape[-1] == 1 else one) for one in pixels]


def _write_pictures(folder: Path, distilled: LoadedSet) -> None:
    """A PNG of each sample that is a picture, with its class or quantity in its name."""
    found = pictures(distilled)
    for i, (picture, caption) in enumerate(zip(found, distilled.captions(), strict=False)):
        name = re.sub(r"\W+", "_", caption)[:40]
        folder.mkdir(exist_ok=True)
        picture.save(folder / f"{i:04d}_{name}.png")


INPUTS: dict[str, Callable[[Json], str]] = {
    "image": lambda described: (
        f"Test images are pixels from 0 to 255, `[N, {_by(described['shape'], ', ')}]` (height, "
        f"width, channels). The network sees `(pixels / 255 - mean) / std` with "
        f"mean {described['mean']} and std {described['std']}, a number for each channel."
    ),
    "array": lambda described: (
        f"Test inputs are numbers `[N, {_by(described['shape'], ', ')}]`. The network sees "
        f"`(numbers - mean) / std` with mean {described['mean']} and std {described['std']}."
    ),
    "table": lambda described: (
        f"Test rows have the columns of `input` in `{CARD}`. The network sees "
        f"{_by(described['shape'], '')} numbers of a row, in this order. First, for each column "
        "that is a number or a date (as days from 1970), `(value - mean) / std`; a missing one is "
        "`fill`. With `quantiles` it is the place of the value among these, from 0 to 1, as the "
        "quantile of a normal distribution. Then, for each of these columns with `missing`, 1 if "
        "the value is missing. Then, for each column that is a category, a 1 at its place in "
        '`categories`, and for all others a 1 after these if there is `other`; "" is missing.'
    ),
    "text": lambda described: (
        "A test text is split into lower-case words and punctuation marks. Its words have the "
        f"numbers of their lines in `{VOCABULARY}`, where the first line is 2; other words are 1, "
        f"and after the last word there are zeros, up to {described['shape'][0]} words. The "
        f"network sees a vector for each: row `number - 2` of `vectors` in `{VECTORS}`, and zeros "
        f"for the numbers 0 and 1. You may leave `{VECTORS}` out when you send this folder: "
        f"`vectors` in `{CARD}` is the SHA-256 of those that belong to it."
    ),
}
"""How test inputs are made, by the kind of input."""
STEPS = """The set serves in its own steps alone: take them in their order, each at its own rate.

```python
for t in range(len(lr)):
    batch, labels = x[t % len(x)], y[t % len(x)]
    # one step of plain gradient descent: weights -= lr[t] * gradient of the loss
```"""
ANY = """Put all samples into one array and train on them as on any data, for instance in Keras:

```python
x, y = x.reshape(-1, *x.shape[2:]), y.reshape(-1, y.shape[-1])
model.compile("adam", keras.losses.{loss})
model.fit(x, y, batch_size={batch}, epochs={epochs})
```

The table says how the accuracy was measured.{augment} Other optimizers, more epochs and other
networks work too."""
AUGMENT = {
    "shift": " `shift` moves each image of a minibatch at random, by up to an eighth of its sides; "
    "what comes in is black.",
    "crop_and_flip": " `crop_and_flip` moves each image of a minibatch at random, by up to an "
    "eighth of its sides, where what comes in is black, and mirrors half of them left to right.",
}
README = """# A distilled set: {dataset}

{samples} samples with {labels} labels, to train a network on in place of the whole data.

| | |
| --- | --- |
{rows}

## Read it

```python
import json
import numpy as np

card = json.load(open("card.json"))
with np.load("set.npz") as arrays:  # plain float32 arrays
    x, y, lr = (arrays[name] for name in ("x", "y", "lr"))
```

x is `{x}`: steps, samples in a step, and a sample. y has a label for each. lr has a learning rate
for each step of all epochs. The pictures, sentences or rows in samples/ are to look at.

## Train on it

{how}

The loss is {loss} {start}

{layers}

## Test it

{test}

`python -m tf_distill.main --mode=verify FOLDER` checks every array, trains, and compares the
accuracy.{programs}
"""
IN_FRAMEWORKS = ("lenet", "convnet", "textconvnet")
"""Networks that the programs of export/ for PyTorch and Keras know; first parts of names."""
DENSE = {"InputLayer", "Flatten", "Dense", "Dropout", "Activation", "ReLU"}
"""Layers of networks that the program for NumPy trains."""


def readme(card: Json) -> str:
    """The README.md of a set: its card in words, and how to train on it."""
    steps, n, *_ = card["arrays"]["x"]
    told = _of_quantity(card) if card.get("target") else _of_classes(card)
    learned = card.get("learn", "samples,labels")
    shown = {
        "data": f"{card['dataset']}, {told.data}",
        "licence of the data": card.get("license"),
        "samples": f"{steps * n} of {_by(card['input']['shape'], ' x ')}",
        "labels": told.labels,
        "network": card["network"],
        "trained by": card.get("recipe"),
        "accuracy": _accuracy(card),
        "merged from": "; ".join(map(_source, card.get("sources", []))),
        "made": _made(card),
    }
    layers = "\n".join(["The layers:", "", *(f"- {words}" for words in card.get("layers", []))])
    kind = card["input"]["kind"]
    test = INPUTS[kind](card["input"]) if kind in INPUTS else "Ask the one who made the set."
    return README.format(
        dataset=card["dataset"],
        samples="Learned" if "samples" in learned else "Real",
        labels="learned" if "labels" in learned else "real" if card.get("target") else "one-hot",
        rows="\n".join(f"| {name} | {_cell(value)} |" for name, value in shown.items() if value),
        x=[*card["arrays"]["x"]],
        how=STEPS
        if not _trains(card)
        else ANY.format(
            loss=told.keras,
            batch=n,
            epochs=card.get("epochs", 50),
            augment=AUGMENT.get(card.get("augment", "none"), ""),
        ),
        loss=told.loss,
        start=_start(card),
        layers=layers if "layers" in card else "",
        test="\n\n".join(filter(None, [_data(card), test])),
        programs=_programs(card),
    )


def _start(card: Json) -> str:
    """The weights that a network starts from."""
    told, arrays = ["Start from new random weights."], card["arrays"]
    if "initial_0" in arrays:
        told = [
            f"Start from `initial_0`, `initial_1`, ... in `{ARRAYS}`: the trainable weights in the "
            "order of the layers. From other weights the set is of no use."
        ]
    elif any(" from " in words for words in card.get("layers", [])):
        told = [
            "Start from new random weights: each layer below says what draws its own. "
            "VarianceScaling of scale 1 and fan_avg is Xavier's (Glorot's)."
        ]
        if not is_own_network(card["network"]):
            told.append("A bias that they do not name is zero.")
    if "frozen_0" in arrays:
        told.append(
            f"Some weights are not trained: `frozen_0`, `frozen_1`, ... in `{ARRAYS}`, in the "
            "order of the layers. Give the network these values first, and keep them."
        )
    if "initial_0" in arrays or "frozen_0" in arrays:
        told.append(
            "They are laid out as in Keras: a dense kernel is `[inputs, outputs]`, that of a "
            "convolution `[height, width, inputs, outputs]`, and Flatten goes through the channels "
            "of a place before the next place."
        )
    return "\n".join(told)


def _data(card: Json) -> str:
    """What a dataset of this package is, and how it is split."""
    entry = DATASETS.get(card["dataset"])
    return f"The data: {inspect.getdoc(entry.load)}" if entry else ""


def _programs(card: Json) -> str:
    """The programs that train the card's network without this package."""
    kinds = {words.split(":")[0] for words in card.get("layers", [])}
    if card["network"].split("-")[0] in IN_FRAMEWORKS:
        names = "`torch_trainer.py` or `keras_trainer.py`"
    elif kinds and kinds <= DENSE and "frozen_0" not in card["arrays"]:
        names = "`numpy_trainer.py`"
    else:
        return ""
    told = f" {names} in the folder export/ of tf_distill trains on this\nfolder without it."
    if card["input"]["kind"] == TableEncoding.kind:
        told += " It takes test rows as `encoded_test`, the numbers that the network sees."
    return told


def _cell(value: str) -> str:
    """A text as a cell of a table in Markdown."""
    return " ".join(value.split()).replace("|", "\\|")


class _Told(NamedTuple):
    """What a README says of the labels, in each of its places."""

    data: str
    labels: str
    loss: str
    keras: str


def _of_classes(card: Json) -> _Told:
    classes, binary = card["classes"], card["arrays"]["y"][-1] == 1
    named = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
    labels = "probabilities of the classes" if _trains(card) else "a number for each class"
    one = f"one number: 0 means {classes[0]!r}, 1 means {classes[1]!r}" if binary else labels
    several = "-mean(sum(y * log_softmax(logits), axis=-1))"
    loss = "mean(log(1 + exp(logits)) - y * logits)" if binary else several
    apart = f"`{loss}`, and softmax or sigmoid are no part\nof the network."
    keras = f"{'Binary' if binary else 'Categorical'}Crossentropy(from_logits=True)"
    return _Told(f"{len(classes)} classes: {named}", one, apart, keras)


def _of_quantity(card: Json) -> _Told:
    target = card["target"]
    scale = f"`y * {target['std']:.8g} + {target['mean']:.8g}`"
    apart = f"`mean((output - y) ** 2)`; the network's answer is\n{scale.replace('y', 'output')}."
    labels = f"{target['name']} as {scale}"
    return _Told(f"the quantity {target['name']}", labels, apart, "MeanSquaredError()")


def _trains(card: Json) -> bool:
    return card.get("use") == "training"


def _by(numbers: Any, between: str) -> str:
    return between.join(map(str, numbers))


def _accuracy(card: Json) -> str | None:
    if not (found := card.get("accuracy")):
        return None
    several = found.get("networks", 1) > 1
    spread = f" ± {100 * found['std']:.2f}" if several else ""
    split = card.get("eval_split", "test").replace("_", "-")
    examples = f"{card['test_examples']} {split} examples" if "test_examples" in card else split
    if rmse := card.get("rmse"):
        spread = f" ± {found['std']:.4f}" if several else ""
        told = spread_words(**{"std": 0.0, "networks": 1, **rmse}).replace("+-", "±")
        measured = f"R2 {found['mean']:.4f}{spread}, RMSE {told}"
    else:
        measured = f"{100 * found['mean']:.2f}{spread} %"
    return f"{measured} on {examples}; networks: {found.get('networks', 1)}, seed: {card['seed']}"


def _source(source: Json) -> str:
    about = [", ".join(source["classes"]), source.get("license")]
    told = "; ".join(filter(None, about))
    return f"{source['samples']} samples of {source['dataset']} ({told})"


def _made(card: Json) -> str:
    versions = [f"{name} {version}" for name, version in card.get("versions", {}).items()]
    return ", ".join(filter(None, [card.get("date"), *versions]))
