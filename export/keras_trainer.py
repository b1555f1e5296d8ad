"""Trains the network of a distilled set with plain Keras: LeNet, ConvNet or the text CNN.

  python keras_trainer.py SET TEST.npz [--networks=5]

SET is a folder with card.json and set.npz, and for texts vectors.npz. It works on each of Keras's
backends (KERAS_BACKEND in the environment). This file needs no other.
"""

import argparse
import hashlib
import json
import re
import sys
import unicodedata
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

RAW = argparse.RawDescriptionHelpFormatter
WITHOUT_BLANKS = ("CJK", "IDEOGRAPHIC", "HIRAGANA LETTER", "KATAKANA LETTER", "THAI", "LAO",
                  "KHMER", "MYANMAR")  # fmt: skip
"""How the names of letters begin in scripts that put no blanks between words."""


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


def xavier():
    """Xavier normal, as the networks of a set start; a new object for each kernel."""
    return keras.initializers.VarianceScaling(1.0, "fan_avg", "untruncated_normal")


def dense(units, activation=None):
    """A dense layer."""
    return layers.Dense(units, activation, kernel_initializer=xavier())


def lenet(shape, outputs):
    """LeNet-5 with 6, 16, 120 and 84 units, relu and max pooling."""
    return keras.Sequential([
        keras.Input(shape),
        layers.Conv2D(6, 5, padding="same", activation="relu", kernel_initializer=xavier()),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, activation="relu", kernel_initializer=xavier()),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        dense(120, "relu"),
        dense(84, "relu"),
        dense(outputs),
    ])  # fmt: skip


def convnet(shape, outputs, filters=128, blocks=3):
    """Blocks of a 3x3 convolution, instance normalisation, relu and 2x2 average pooling."""
    side, stack = min(shape[:2]), [keras.Input(shape)]
    for left in reversed(range(blocks)):
        stack += [
            layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer=xavier()),
            layers.GroupNormalization(groups=-1, epsilon=1e-5),
            layers.ReLU(),
        ]
        if side >= 4 or (side >= 2 and not left):
            stack.append(layers.AveragePooling2D(2))
            side //= 2
    return keras.Sequential([*stack, layers.Flatten(), dense(outputs)])


def textconvnet(shape, outputs):
    """100 filters each of widths 3, 4 and 5, their maxima over time, and one dense layer."""
    inputs = keras.Input(shape)
    found = [
        layers.GlobalMaxPooling1D()(
            layers.Conv1D(100, size, activation="relu", kernel_initializer=xavier())(inputs)
        )
        for size in (3, 4, 5)
    ]
    return keras.Model(inputs, dense(outputs)(layers.Concatenate()(found)))


NETWORKS = {"lenet": lenet, "convnet": convnet, "textconvnet": textconvnet}


def network(card, arrays, seed=0):
    """The network that the card names, with the initial weights of the set if it has some."""
    name, *size = card["network"].split("-")
    if name not in NETWORKS:
        sys.exit(f"the set is for {card['network']}, expected {', '.join(NETWORKS)}")
    keras.utils.set_random_seed(seed)
    model = NETWORKS[name](card["input"]["shape"], arrays["y"].shape[-1], *map(int, size))
    if "initial_0" in arrays:
        for i, weight in enumerate(model.trainable_weights):
            weight.assign(arrays[f"initial_{i}"])
    return model


def loss_of(y, logits):
    """The cross-entropy, for labels of any numbers; Keras's own is for probabilities alone."""
    if logits.shape[-1] == 1:
        return ops.mean(ops.softplus(logits) - y * logits, -1)
    return -ops.sum(y * ops.log_softmax(logits), -1)


def train(card, arrays, seed=0):
    """The network after all steps of the set."""
    model, name = network(card, arrays, seed), card.get("inner_optimizer", "sgd")
    momentum = 0.9 if name == "momentum" else 0.0
    optimizers = keras.optimizers
    optimizer = optimizers.Adam() if name == "adam" else optimizers.SGD(momentum=momentum)
    model.compile(optimizer, loss_of)
    for x, y, lr in batches(card, arrays, seed):
        optimizer.learning_rate = float(lr)
        model.train_on_batch(x, y)
    return model


def logits_of(model, x):
    """The logits of embedded inputs."""
    return model.predict(x, batch_size=500, verbose=0)


def accuracy(model, encode, x, y):
    """The share of stored inputs whose class is right."""
    parts = [logits_of(model, encode(x[i : i + 500])) for i in range(0, len(x), 500)]
    logits = np.concatenate(parts)
    predicted = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(1)
    return float(np.mean(predicted == y))


def main():
    """Trains some networks, and prints their accuracy beside the card's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RAW)
    parser.add_argument("set", type=Path, help="the folder of a set, with card.json and set.npz")
    parser.add_argument("test", type=Path, help="an .npz with x_test and y_test, class numbers")
    parser.add_argument("--networks", type=int, default=5, help="to train, if the set is for any")
    given = parser.parse_args()
    try:
        card, arrays = read_set(given.set)
        encode = encoder(given.set, card)
        x, y = read_test(given.test, card)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"can't read the set or the test data: {error}")
    networks = 1 if "initial_0" in arrays else given.networks
    found = [accuracy(train(card, arrays, seed), encode, x, y) for seed in range(networks)]
    here = f"here: {100 * np.mean(found):.2f} +- {100 * np.std(found):.2f} %, networks: {networks}"
    stored = card.get("accuracy", {}).get("mean")
    print(here if stored is None else f"card: {100 * stored:.2f} %\n{here}")


if __name__ == "__main__":
    main()
