"""Trains the network of a distilled set with PyTorch: LeNet, ConvNet or the text CNN.

  python torch_trainer.py SET TEST.npz [--networks=5]

SET is a folder with card.json and set.npz, and for texts vectors.npz. The arrays of a set have the
channels last and kernels in Keras's order; this file turns them. It needs no other file.
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
import torch
from torch import nn
from torch.nn import functional

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


class LeNet(nn.Module):
    """LeNet-5 with 6, 16, 120 and 84 units, relu and max pooling."""

    def __init__(self, shape, outputs):
        super().__init__()
        height, width, channels = shape
        self.first = nn.Conv2d(channels, 6, 5, padding="same")
        self.second = nn.Conv2d(6, 16, 5)
        inputs = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        sizes = (inputs, 120, 84, outputs)
        self.dense = nn.ModuleList(nn.Linear(n, m) for n, m in itertools.pairwise(sizes))

    def forward(self, x):
        """`[N, height, width, channels]` to logits."""
        x = functional.max_pool2d(self.first(x.permute(0, 3, 1, 2)).relu(), 2)
        x = functional.max_pool2d(self.second(x).relu(), 2)
        x = flat(x)
        for layer in self.dense[:-1]:
            x = layer(x).relu()
        return self.dense[-1](x)


class ConvNet(nn.Module):
    """Blocks of a 3x3 convolution, instance normalisation, relu and 2x2 average pooling."""

    def __init__(self, shape, outputs, filters=128, blocks=3):
        super().__init__()
        height, width, channels = shape
        side, self.pools, parts = min(height, width), [], []
        for left in reversed(range(blocks)):
            parts += [
                nn.Conv2d(channels, filters, 3, padding="same", bias=False),
                nn.InstanceNorm2d(filters, eps=1e-5, affine=True),
            ]
            channels = filters
            self.pools.append(side >= 4 or (side >= 2 and not left))
            if self.pools[-1]:
                side, height, width = side // 2, height // 2, width // 2
        self.parts = nn.ModuleList(parts)
        self.dense = nn.Linear(filters * height * width, outputs)

    def forward(self, x):
        """`[N, height, width, channels]` to logits."""
        x = x.permute(0, 3, 1, 2)
        for i, pools in enumerate(self.pools):
            x = self.parts[2 * i + 1](self.parts[2 * i](x)).relu()
            x = functional.avg_pool2d(x, 2) if pools else x
        return self.dense(flat(x))


class TextConvNet(nn.Module):
    """100 filters each of widths 3, 4 and 5, their maxima over time, and one dense layer."""

    def __init__(self, shape, outputs):
        super().__init__()
        self.filters = nn.ModuleList(nn.Conv1d(shape[1], 100, size) for size in (3, 4, 5))
        self.dense = nn.Linear(300, outputs)

    def forward(self, x):
        """`[N, words, dimension]` to logits."""
        x = x.permute(0, 2, 1)
        return self.dense(torch.cat([f(x).relu().amax(2) for f in self.filters], 1))


def flat(x):
    """`[N, channels, height, width]` to `[N, ...]` in the order of channels last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def network(card, arrays):
    """The network that the card names, without weights of its own."""
    shape, outputs = card["input"]["shape"], arrays["y"].shape[-1]
    name, *size = card["network"].split("-")
    if name == "convnet":
        return ConvNet(shape, outputs, *map(int, size))
    if name not in ("lenet", "textconvnet"):
        sys.exit(f"the set is for {card['network']}, expected lenet, convnet or textconvnet")
    return (LeNet if name == "lenet" else TextConvNet)(shape, outputs)


def give_weights(model, arrays, seed):
    """Gives a network the initial weights of the set or, if it has none, random ones (Xavier)."""
    torch.manual_seed(seed)
    for i, parameter in enumerate(model.parameters()):
        value = arrays.get(f"initial_{i}")
        with torch.no_grad():
            if value is not None:  # kernels: outputs first, then inputs, then places
                turned = value if value.ndim == 1 else np.moveaxis(value, (-1, -2), (0, 1))
                parameter.copy_(torch.tensor(turned.copy()))
            elif parameter.ndim > 1:
                nn.init.xavier_normal_(parameter)
    if "initial_0" not in arrays:
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)


def optimizer_of(card, model):
    """The inner optimizer; each step sets its rate."""
    name = card.get("inner_optimizer", "sgd")
    if name == "adam":
        return torch.optim.Adam(model.parameters())
    return torch.optim.SGD(model.parameters(), 1.0, momentum=0.9 if name == "momentum" else 0)


def loss_of(y, logits):
    """The mean cross-entropy, for labels of any numbers."""
    if logits.shape[1] == 1:
        return (functional.softplus(logits) - y * logits).mean()
    return -(y * logits.log_softmax(1)).sum(1).mean()


def train(card, arrays, seed=0):
    """The network after all steps of the set."""
    model = network(card, arrays)
    give_weights(model, arrays, seed)
    optimizer = optimizer_of(card, model)
    for x, y, lr in batches(card, arrays, seed):
        for group in optimizer.param_groups:
            group["lr"] = float(lr)
        optimizer.zero_grad()
        loss_of(torch.tensor(y), model(torch.tensor(x))).backward()
        optimizer.step()
    return model


def logits_of(model, x):
    """The logits of embedded inputs, as NumPy's."""
    with torch.no_grad():
        return model(torch.tensor(x)).numpy()


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
