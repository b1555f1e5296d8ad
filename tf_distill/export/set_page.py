"""The README.md of a set folder: its card in words, and how to train on it."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from tf_distill.common import is_own_network, spread_words
from tf_distill.datasets import DATASETS, TableEncoding

Json = dict[str, Any]
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
        f"Test rows have the columns of `input` in `card.json`. The network sees "
        f"{_by(described['shape'], '')} numbers of a row, in this order. First, for each column "
        "that is a number or a date (as days from 1970), `(value - mean) / std`; a missing one is "
        "`fill`. With `quantiles` it is the place of the value among these, from 0 to 1, as the "
        "quantile of a normal distribution. Then, for each of these columns with `missing`, 1 if "
        "the value is missing. Then, for each column that is a category, a 1 at its place in "
        '`categories`, and for all others a 1 after these if there is `other`; "" is missing.'
    ),
    "text": lambda described: (
        "A test text is split into lower-case words and punctuation marks. Its words have the "
        "numbers of their lines in `vocabulary.txt`, where the first line is 2; other words are "
        f"1, and after the last word there are zeros, up to {described['shape'][0]} words. The "
        "network sees a vector for each: row `number - 2` of `vectors` in `vectors.npz`, and "
        "zeros for the numbers 0 and 1. You may leave `vectors.npz` out when you send this "
        "folder: `vectors` in `card.json` is the SHA-256 of those that belong to it."
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
    """The text for the card of a set."""
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
            "Start from `initial_0`, `initial_1`, ... in `set.npz`: the trainable weights in the "
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
            "Some weights are not trained: `frozen_0`, `frozen_1`, ... in `set.npz`, in the "
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
