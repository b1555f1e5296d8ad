"""Trains a linear or dense network on a distilled set, with NumPy alone.

  python numpy_trainer.py SET TEST.npz [--hidden=100,50] [--activation=relu]

SET is a folder with card.json and set.npz. The layers are those of the card if all are dense, else
there is no hidden layer; --hidden and --activation name others. For a table TEST.npz has
encoded_test in place of x_test: the numbers that the network sees. This file needs no other.
"""

import argparse
import hashlib
import itertools
import json
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np

RAW = argparse.RawDescriptionHelpFormatter
WITHOUT_BLANKS = ("CJK", "IDEOGRAPHIC", "HIRAGANA LETTER", "KATAKANA LETTER", "THAI", "LAO",
                  "KHMER", "MYANMAR")  # fmt: skip
"""How the names of letters begin in scripts that put no blanks between words."""
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda v: v > 0),
    "tanh": (np.tanh, lambda v: 1 - v * v),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda v: v * (1 - v)),
}
"""Each with its derivative as a function of its value."""
DENSE = {"InputLayer", "Flatten", "Dense", "Dropout", "Activation", "ReLU"}
"""Layers that a dense network may have."""


def read_set(folder):
    """The card of a set, and its arrays by name; ends the program if one of both was changed."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    if "target" in card:
        sys.exit("the set is for regression, this program for classes; how_to_train is in its card")
    with np.load(folder / "set.npz", allow_pickle=False) as found:
        arrays = dict(found)
    digests = card["sha256"]
    parts = {n: json.dumps(v, sort_keys=True).encode() for n, v in card.items() if n in digests}
    for name, part in (parts | {n: array.tobytes() for n, array in arrays.items()}).items():
        if hashlib.sha256(part).hexdigest() != digests.get(name):
            place = folder / ("set.npz" if name in arrays else "card.json")
            sys.exit(f"{name} in {place} has been changed: get the set again")
    return card, arrays


def read_test(file, card):
    """The test inputs and class numbers of a file; ends the program if they don't fit the set.

    Inputs are as they were before the distillation; those of a table, or of an encoding of one's
    own, are the numbers that the network sees.
    """
    text, shape = card["input"]["kind"] == "text", card["input"]["shape"]
    name = "x_test" if text or "mean" in card["input"] else "encoded_test"
    with np.load(file, allow_pickle=False) as found:
        x, y = found[name], found["y_test"].ravel()
    if x.dtype.kind == "S":
        x = np.char.decode(x, "utf-8", "replace")
    words = x.dtype.kind == "U"
    sizes = [] if words else shape[:1] if text else shape  # a text may also be word numbers
    fits = [n for n in x.shape[1:] if n > 1] == [n for n in sizes if n > 1]
    if not fits or words > text or len(x) != len(y) or y.dtype.kind not in "iuf":
        wanted = (
            "texts of the shape (N,)" if text else f"numbers of (N, {', '.join(map(str, shape))})"
        )
        found = f"got {name} of the shape {x.shape} ({x.dtype}) and y_test of {y.shape} ({y.dtype})"
        sys.exit(f"{found}, expected {wanted} and class numbers of (N,)")
    return x, y


def batches(card, arrays, seed):
    """The steps of a training: (x, y, rate) in the set's order or, for use=training, shuffled."""
    x, y, lr = (arrays[name] for name in ("x", "y", "lr"))
    steps, n, rng = len(x), x.shape[1], np.random.default_rng(seed)
    if card.get("use") == "training":
        x, y = x.reshape(-1, *x.shape[2:]), y.reshape(-1, y.shape[-1])
        for t, rate in enumerate(lr):
            if t % steps == 0:
                order = rng.permutation(len(x)).reshape(steps, n)
            chosen = order[t % steps]
            yield augmented(card, x[chosen], rng), y[chosen], rate
    else:
        for t, rate in enumerate(lr):
            yield x[t % steps], y[t % steps], rate


def augmented(card, x, rng):
    """Images moved by up to an eighth of their sides, and mirrored, as far as the card asks."""
    if card.get("augment", "none") == "none":
        return x
    black = -np.divide(card["input"]["mean"], card["input"]["std"]).astype(np.float32)
    height, width = x.shape[1:3]
    p = max(1, min(height, width) // 8)
    padded = np.pad(x - black, [(0, 0), (p, p), (p, p), (0, 0)])
    corners = rng.integers(0, 2 * p + 1, (len(x), 2))
    moved = [padded[i, r : r + height, c : c + width] for i, (r, c) in enumerate(corners)]
    if card["augment"] == "crop_and_flip":
        moved = [m[:, ::-1] if rng.random() < 0.5 else m for m in moved]
    return np.stack(moved) + black


def encoder(folder, card):
    """A function from stored inputs (pixels, numbers, texts) to those of the network, float32."""
    described = card["input"]
    if described["kind"] == "text":
        return text_encoder(folder, described)
    scale = 255 if described["kind"] == "image" else 1
    mean, std = np.float32(described.get("mean", 0)), np.float32(described.get("std", 1))

    def encode(inputs):
        x = np.asarray(inputs, np.float32).reshape(-1, *described["shape"])
        return (x / np.float32(scale) - mean) / std

    return encode


def text_encoder(folder, described):
    """The same for texts `[N]`, or word numbers `[N, words]`."""
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")[:-1]
    with np.load(folder / "vectors.npz", allow_pickle=False) as found:
        vectors = found["vectors"]
    rows = np.concatenate([np.zeros((2, vectors.shape[1]), np.float32), vectors])
    numbers, length = {word: i for i, word in enumerate(words, 2)}, described["shape"][0]

    def encode(inputs):
        if np.asarray(inputs).dtype.kind == "U":
            found = [[numbers.get(w, 1) for w in split(text)][:length] for text in inputs]
            inputs = np.array([some + [0] * (length - len(some)) for some in found])
        return rows[inputs]

    return encode


def split(text):
    """The lower-case words and punctuation marks of a text; Chinese and the like by letters."""
    text = unicodedata.normalize("NFC", str(text)).lower()
    text = re.sub("<br ?/?>", " ", text).replace("\u2019", "'")
    text = re.sub(r"n't\b", " n\1t ", text, flags=re.ASCII)
    text = re.sub(r"'(s|m|d|re|ve|ll)\b", " \1\\1 ", text, flags=re.ASCII)
    parts, alone = [], False
    for c in text:
        if unicodedata.category(c)[0] == "M":  # belongs to the letter before
            parts.append(c)
            continue
        before, alone = alone, is_alone(c)
        parts.append(f" {c}" if before or alone else c)
    return "".join(parts).replace("\1", "'").split()


def is_alone(c):
    """Whether a character is a word: punctuation, or of a script without blanks."""
    if unicodedata.category(c)[0] in "LN":
        return unicodedata.name(c, "").startswith(WITHOUT_BLANKS)
    return c not in "\1 \t\n\f\r"


def initial(card, arrays, seed, hidden=()):
    """Kernels and biases in turn: those of the set, or random ones (Xavier) and zeros."""
    if "frozen_0" in arrays:
        sys.exit("the set is for a network with frozen weights, which this program does not have")
    if "initial_0" in arrays:
        weights = [
            arrays[f"initial_{i}"] for i in range(sum(n.startswith("initial_") for n in arrays))
        ]
        if [w.ndim for w in weights] != [2, 1] * (len(weights) // 2):
            sys.exit(f"the set is for {card['network']}, which is not made of dense layers alone")
        return weights
    rng, outputs = np.random.default_rng(seed), arrays["y"].shape[-1]
    sizes = [int(np.prod(card["input"]["shape"])), *hidden, outputs]
    weights = []
    for n, m in itertools.pairwise(sizes):
        weights += [rng.normal(0, np.sqrt(2 / (n + m)), (n, m)), np.zeros(m)]
    return [w.astype(np.float32) for w in weights]


def hidden_of(card):
    """The units of the hidden layers that the card names; none if it has layers of other kinds."""
    words = card.get("layers", [])
    if not {layer.split(":")[0] for layer in words} <= DENSE:
        return []
    return [int(units) for units in re.findall(r"(?m)^Dense: units (\d+)", "\n".join(words))][:-1]


def activation_of(card):
    """The activation of the card's dense layers, "relu" if it names none."""
    words = "\n".join(card.get("layers", []))
    found = {*re.findall(r"(?m)^(?:Dense|Activation): .*?activation (\w+)", words)} - {"linear"}
    found |= {name.lower() for name in re.findall(r"(?m)^\w*(?:ReLU|ELU)\b", words)}
    if len(found) > 1 or not found <= {*ACTIVATIONS}:
        sys.exit(
            f"the set is for a network with {' and '.join(sorted(found))}, expected one of "
            f"{', '.join(ACTIVATIONS)}; name one by --activation"
        )
    return found.pop() if found else "relu"


def layers(weights, x, activation="relu"):
    """The values of all layers, from the flat inputs `[N, ...]` to the logits."""
    values = [x.reshape(len(x), -1)]
    for i in range(0, len(weights), 2):
        z = values[-1] @ weights[i] + weights[i + 1]
        values.append(z if i + 2 == len(weights) else ACTIVATIONS[activation][0](z))
    return values


def gradients(weights, x, y, activation="relu"):
    """Of the mean cross-entropy, for labels of any numbers."""
    *values, logits = layers(weights, x, activation)
    if logits.shape[1] == 1:
        back = 1 / (1 + np.exp(-logits)) - y
    else:
        soft = np.exp(logits - logits.max(1, keepdims=True))
        back = soft / soft.sum(1, keepdims=True) * y.sum(1, keepdims=True) - y
    back = back / len(x)
    found = []
    for i, value in reversed([*enumerate(values)]):
        found = [value.T @ back, back.sum(0), *found]
        back = (back @ weights[2 * i].T) * ACTIVATIONS[activation][1](value)
    return found


def train(card, arrays, seed=0, hidden=None, activation=None):
    """The weights after all steps of the set."""
    hidden = hidden_of(card) if hidden is None else hidden
    activation = activation or activation_of(card)
    weights = initial(card, arrays, seed, hidden)
    name = card.get("inner_optimizer", "sgd")
    mean, square = ([np.zeros_like(w) for w in weights] for _ in range(2))
    for t, (x, y, lr) in enumerate(batches(card, arrays, seed), 1):
        steps = gradients(weights, x, y, activation)
        if name == "momentum":
            steps = mean = [0.9 * m + g for m, g in zip(mean, steps, strict=True)]
        if name == "adam":
            mean = [0.9 * m + 0.1 * g for m, g in zip(mean, steps, strict=True)]
            square = [0.999 * v + 0.001 * g * g for v, g in zip(square, steps, strict=True)]
            scale = np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            steps = [scale * m / (np.sqrt(v) + 1e-7) for m, v in zip(mean, square, strict=True)]
        weights = [
            (w - lr * step).astype(np.float32) for w, step in zip(weights, steps, strict=True)
        ]
    return weights


def accuracy(weights, encode, x, y, activation="relu"):
    """The share of stored inputs whose class is right."""
    logits = layers(weights, encode(x), activation)[-1]
    predicted = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
    return float(np.mean(predicted == y))


def main():
    """Trains some networks, and prints their accuracy beside the card's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("set", type=Path, help="the folder of a set, with card.json and set.npz")
    parser.add_argument("test", type=Path, help="an .npz with x_test and y_test, class numbers")
    parser.add_argument("--networks", type=int, default=5, help="to train, if the set is for any")
    parser.add_argument("--hidden", help="units of hidden layers, such as 100,50")
    parser.add_argument("--activation", choices=ACTIVATIONS)
    given = parser.parse_args()
    try:
        card, arrays = read_set(given.set)
        encode = encoder(given.set, card)
        x, y = read_test(given.test, card)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"can't read the set or the test data: {error}")
    hidden = hidden_of(card)
    if given.hidden is not None:
        hidden = [int(units) for units in given.hidden.split(",") if units]
    activation = given.activation or activation_of(card)
    networks = 1 if "initial_0" in arrays else given.networks
    found = []
    for seed in range(networks):
        weights = train(card, arrays, seed, hidden, activation)
        found.append(accuracy(weights, encode, x, y, activation))
    units = [str(len(bias)) for bias in weights[1:-1:2]]
    print(f"hidden layers: {', '.join(units)} ({activation})" if units else "hidden layers: none")
    here = f"here: {100 * np.mean(found):.2f} +- {100 * np.std(found):.2f} %, networks: {networks}"
    stored = card.get("accuracy", {}).get("mean")
    print(here if stored is None else f"card: {100 * stored:.2f} %\n{here}")


if __name__ == "__main__":
    main()
