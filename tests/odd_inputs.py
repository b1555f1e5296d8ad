"""Inputs as people have them, composed at random from a seed, with what is true of them.

Each function draws one input: an independent choice for each way in which such inputs differ, and
now and then a fault. Nothing of the package is used here.
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class Odd(NamedTuple):
    """One input.

    name: the choices, in words.
    data: files, their content by path; or what else a reader takes.
    settings: for the reader.
    truth: what was written down.
    refused: a pattern of the message; None if the input must be read.
    said: patterns of what must be printed.
    """

    name: str
    data: Any
    settings: dict[str, Any]
    truth: Any
    refused: str | None = None
    said: tuple[str, ...] = ()


class Chooser:
    """Draws options, and remembers them."""

    def __init__(self, seed: Sequence[int]):
        self.rng, self.chosen = np.random.default_rng(seed), list[str]()

    def __call__(self, *options: str, usual: float = 0.0) -> str:
        """One of the options: the first with the chance `usual`, else any."""
        option = options[0 if self.rng.random() < usual else self.rng.integers(len(options))]
        self.chosen.append(option)
        return option

    def maybe(self, what: str, chance: float = 0.2) -> bool:
        """Whether something is so."""
        found = bool(self.rng.random() < chance)
        self.chosen += [what] if found else []
        return found

    @property
    def name(self) -> str:
        """All that was chosen."""
        return ", ".join(self.chosen)


# Tables of texts.

WESTERN = ("caf\u00e9", "na\u00efve", "\u00fcber", "ma\u00f1ana", "well, yes", "a; b", "a|b",
           'she said "no"', '"', "it's", "50 %", "# 1", "1,5", "N/A", "\u00a3")  # fmt: skip
WIDE = ("\u6f22\u5b57", "\u0434\u043e\u0431\u0440\u044b\u0439", "\U0001f600", "cafe\u0301")
LABELS = {
    "words": ("bb", "aa", "cc"), "phrases": ("no, \u00e9", "x; y", "or | and"),
    "whole numbers": (10, 9, -1), "truths": (True, False), "blanks": (" one", "two ", " three "),
    "written floats": (1.0, 2.0, 10.0),
}  # fmt: skip
NAMES = {
    "text, label": ("text", "label"), "Review, Sentiment": ("Review", "Sentiment"),
    "v2, v1": ("v2", "v1"), "blanks in names": (" text", "label "),
}  # fmt: skip
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>a, b, c</body></html>\n"
WIDTH = "line .*(fields|broken quotes)"
FAULTS = {
    "a field too many": WIDTH, "a field too few": WIDTH,
    "no class": r"line \d+: .*(expected a class| fields)",
    "one class": "has one class|which column has the classes",
    "a rare class": "'rare' has one example", "only names": "no (rows|examples)|list of records",
    "empty": "no rows", "a web page": "HTML", "cut off": "can't read",
}  # fmt: skip


def texts(*seed: int) -> Odd:
    """A file of labelled texts; the truth are texts and classes in their order."""
    choose = Chooser(seed)
    form = choose("csv", "tsv", "jsonl", "list", "wrapped", "columns", "split", usual=0.5)
    encoding = choose("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", usual=0.4)
    kind = choose(*LABELS)
    fault = choose("sound", *FAULTS, usual=0.6)
    is_table = form in ("csv", "tsv")
    narrow = encoding in ("cp1252", "latin-1")
    classes = LABELS[kind][:1] if fault == "one class" else LABELS[kind]
    labels = [classes[i % len(classes)] for i in range(int(choose.rng.integers(8, 20)))]
    words = WESTERN if narrow else WESTERN + WIDE
    found = [f"text {i} of {' and '.join(choose.rng.choice(words, 3))}" for i in range(len(labels))]
    if narrow:
        found[0] += " \u00e9"
    truth = [(t, str(int(y) if form not in ("csv", "tsv") and isinstance(y, float) else y).strip())
             for t, y in zip(found, labels, strict=True)]  # fmt: skip
    said = ["is no UTF-8: read as"] if narrow else []
    if choose.maybe("missing texts"):
        found[2:2], labels[2:2] = ["", " "], labels[:2]
        said.append("2 rows with an empty text are left out")
    if fault == "a rare class":
        found, labels = [*found, "a text seen once"], [*labels, "rare"]
    if fault == "only names":
        found, labels = [], []
    if fault == "no class" and labels:
        labels[4] = None
    text, label = NAMES[choose(*NAMES, usual=0.4)] if is_table else ("text", "label")
    columns = {text: found, label: labels}
    if choose.maybe("an id", 0.3):
        columns = {"id": [*range(len(found))], **columns}
    if choose.maybe("classes first", 0.3):
        columns = {label: labels, **columns}
    settings: dict[str, Any] = {}
    if is_table:
        headless = fault == "sound" and choose.maybe("no names")
        if headless:
            places = {name: str(i) for i, name in enumerate(columns, 1)}
            settings = {"text_column": places[text], "label_column": places[label]}
        content = _csv(choose, columns, form, headless, fault, said)
    else:
        content = _json(columns, form)
    files, refused = _file(choose, content.encode(encoding), form, fault)
    return Odd(choose.name, files, settings, truth, refused, tuple(said))


def _csv(
    choose: Chooser, columns: dict[str, list[Any]], form: str, headless: bool, fault: str,
    said: list[str],
) -> str:  # fmt: skip
    """The columns as CSV in one of the ways in which programs write it."""
    separator = "\t" if form == "tsv" else choose(",", ";", "\t", "|", usual=0.4)
    quotes = choose("as needed", "everywhere", "escaped", "blanks before", usual=0.5)
    end = choose("\n", "\r\n", usual=0.6)
    rows = [[*columns]] * (not headless)
    rows += [["" if v is None else str(v) for v in row]
             for row in zip(*columns.values(), strict=True)]  # fmt: skip
    if choose.maybe("numbered rows", 0.2) and not headless:
        rows = [[str(i - 1) if i else "", *row] for i, row in enumerate(rows)]
    if choose.maybe("surplus separators", 0.1):
        rows = [[*row, "", ""] for row in rows]
    if fault == "a field too many":
        rows[5].append("more")
    if fault == "a field too few":
        rows[5].pop()
    # A column of numbers that also has a word keeps its numbers as they are written.
    plain = "written floats" not in choose.chosen
    if plain and not headless and len(rows) > 9 and choose.maybe("names again", 0.1):
        rows[7:7] = [rows[0], rows[0]]
        said.append("2 lines with the names of columns again left out")
    file = io.StringIO()
    if quotes == "blanks before":
        for row in rows:
            quoted = [f'"{f.replace(chr(34), chr(34) * 2)}"' for f in row]
            file.write(f"{separator} ".join(quoted) + end)
    else:
        how: dict[str, Any] = {"quoting": csv.QUOTE_ALL} if quotes != "as needed" else {}
        if quotes == "escaped":
            how |= {"doublequote": False, "escapechar": "\\"}
        csv.writer(file, delimiter=separator, lineterminator=end, **how).writerows(rows)
    content = file.getvalue()
    if choose.maybe("sep=", 0.1):
        content = f"sep={separator}{end}{content}"
    if choose.maybe("no end", 0.1):
        content = content.removesuffix(end)
    return content + 2 * end * choose.maybe("blank lines", 0.1)


def _json(columns: dict[str, list[Any]], form: str) -> str:
    rows = [*zip(*columns.values(), strict=True)]
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    if form == "jsonl":
        return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    made = {
        "list": records, "wrapped": {"version": 1, "data": records}, "columns": columns,
        "split": {"columns": [*columns], "index": [*range(len(rows))], "data": rows},
    }  # fmt: skip
    return json.dumps(made[form], ensure_ascii=False, indent=1)


def _file(
    choose: Chooser, data: bytes, form: str, fault: str
) -> tuple[dict[str, bytes], str | None]:
    """The file of a table, perhaps packed or damaged, and what refuses it."""
    data = {"empty": b"", "a web page": PAGE}.get(fault, data)
    ending = {"csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl"}.get(form, ".json")
    packed = ".gz" if fault == "cut off" else choose("", ".gz", ".zip", usual=0.6)
    data = _packed(data, packed)
    files = {f"t{ending}{packed}": data[:-12] if fault == "cut off" else data}
    if form not in ("csv", "tsv") and fault.startswith("a field"):
        return files, None
    return files, FAULTS.get(fault)


def _packed(data: bytes, ending: str) -> bytes:
    if ending == ".gz":
        return gzip.compress(data)
    if ending != ".zip":
        return data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("some/t.csv", data)
        archive.writestr("__MACOSX/some/._t.csv", b"\0")
    return file.getvalue()


# Tables of numbers, categories and dates.

MISSING = ("", "NA", "nan", "n/a", "null", "?")
CATEGORIES = ("red", "dark blue", "n. b.", "\u00fc", "yes")
ROW_FAULTS = {name: FAULTS[name] for name in FAULTS if name != "no class"}


def rows(*seed: int) -> Odd:
    """A file of numbers, categories and dates; the truth are the columns, and the classes."""
    choose = Chooser(seed)
    rng, number = choose.rng, int(choose.rng.integers(30, 60))
    form = choose("csv", "tsv", "jsonl", "list", "wrapped", "columns", "split", usual=0.6)
    encoding = choose("utf-8", "utf-8-sig", "utf-16", "cp1252", usual=0.5)
    fault = choose("sound", *ROW_FAULTS, usual=0.6)
    classes = LABELS[choose(*LABELS)][: 1 if fault == "one class" else None]
    labels: list[Any] = [classes[i % len(classes)] for i in range(number)]
    is_table = form in ("csv", "tsv")
    kept = [str(int(y) if isinstance(y, float) else y).strip() for y in labels]
    truth, columns, said = {}, {}, []
    for i in range(int(rng.integers(1, 4))):
        kind = choose("number", "count", "thousands", "date", "category", "flag", "decimal comma")
        values, written = _column(kind, number, rng)
        if choose.maybe(f"missing in {kind}", 0.3):
            strange = ("-", "none so far") if kind not in ("category", "flag", "count") else ()
            word = choose(*MISSING, *strange) if is_table else choose("", "null")
            for place in rng.choice(number, int(rng.integers(1, 9)), replace=False):
                values[place] = None
                written[place] = None if word == "null" and not is_table else word
        truth[f"c {i}"], columns[f"c {i}"] = values, written
    if fault == "a rare class":
        labels[0] = kept[0] = "rare"
    if choose.maybe("missing classes"):
        labels[3] = labels[5] = "" if is_table else None
        truth = {name: [v for j, v in enumerate(values) if j not in (3, 5)]
                 for name, values in truth.items()}  # fmt: skip
        kept = [y for j, y in enumerate(kept) if j not in (3, 5)]
        said.append("2 rows without 'kind' left out")
    columns = {**columns, "kind": labels}
    if fault == "only names":
        columns = {name: [] for name in columns}
    target = "kind"
    if is_table:
        # Without names nothing tells decimal commas from those that part fields.
        clear = fault == "sound" and "decimal comma" not in choose.chosen
        headless = clear and choose.maybe("no names", 0.1)
        if headless:
            target = str(len(columns))
            truth = {str(i): values for i, values in enumerate(truth.values(), 1)}
            said = [line.replace("kind", target) for line in said]
        content = _csv(choose, columns, form, headless, fault, said)
    else:
        content = _json(columns, form)
    if encoding == "cp1252":
        said += ["is no UTF-8: read as"] * ("\u00fc" in content or "\u00e9" in content)
    files, refused = _file(choose, content.encode(encoding), form, fault)
    return Odd(choose.name, files, {"label_column": target}, (truth, kept), refused, tuple(said))


def _column(kind: str, number: int, rng: np.random.Generator) -> tuple[list[Any], list[Any]]:
    """What is meant, and how it is written."""
    if kind == "count":
        values = rng.integers(0, 9, number).tolist()
        return values, [*values]
    if kind == "number":
        values = rng.normal(0, 10.0 ** rng.integers(-3, 6), number).round(6).tolist()
        return values, [*values]
    if kind == "thousands":
        values = rng.integers(100, 3_000_000, number).tolist()
        return values, [f"{v:,}" for v in values]
    if kind == "decimal comma":
        values = rng.normal(0, 99, number).round(2).tolist()
        return values, [str(v).replace(".", ",") for v in values]
    if kind == "date":
        days = rng.integers(-9000, 20000, number).tolist()
        return days, [str(np.datetime64(0, "D") + day) for day in days]
    options = CATEGORIES if kind == "category" else (True, False)
    values = [options[i] for i in rng.integers(0, len(options), number)]
    return [str(v) for v in values], [*values]


# Word vectors.

WORDS = ("the", "cat", "caf\u00e9", "nomen", "7", "\u6f22", ". . .", "zebra", "n't", "it's")
VECTOR_FAULTS = {
    "a number too few": "line [45]: got 3 numbers",
    "a number too many": "line [45]: got 5 numbers",
    "no number": "line [45]: got 'x'", "not finite": "line [45]: .*not finite",
    "cut off": "can't read", "empty": "none of the", "a web page": "HTML",
    "other words": "none of the",
}  # fmt: skip


def vectors(*seed: int) -> Odd:
    """A file of word vectors; the truth is the vector of each wanted word that it has."""
    choose = Chooser(seed)
    form = choose("text", "npz", usual=0.8)
    fault = choose("sound", *VECTOR_FAULTS, usual=0.6)
    words = ["it's", *map(str, choose.rng.permutation(WORDS[:-1])[: choose.rng.integers(5, 9)])]
    words.sort(key=lambda word: " " in word)  # a number less makes such a word shorter
    table = {w: choose.rng.normal(0, 1, 4).round(4).astype(np.float32) for w in words}
    truth = {} if fault == "other words" else dict(table)
    lines = [*table.items()]
    if fault == "other words":
        lines = [(f"{w}x", v) for w, v in lines]
    if choose.maybe("capitals", 0.3):
        lines = [(w.capitalize(), v) for w, v in lines]
    if choose.maybe("decomposed", 0.3):
        lines = [(w.replace("\u00e9", "e\u0301"), v) for w, v in lines]
    if choose.maybe("twice", 0.3):
        lines += [(w, v + 1) for w, v in lines]
    if choose.maybe("other words too", 0.5):
        lines += [(f"x{i}", np.zeros(4, np.float32)) for i in range(5)]
    if form == "npz":
        file = io.BytesIO()
        kept = np.array([v for _, v in lines]).astype(choose("f4", "f8"))
        if fault == "not finite":
            kept[3, 1] = np.nan
        np.savez(file, words=[w for w, _ in lines], vectors=kept)
        data, ending, packed = file.getvalue(), ".npz", ""
    else:
        content = _vector_lines(choose, lines, fault)
        data, ending = content, choose(".txt", ".vec")
        packed = ".gz" if fault == "cut off" else choose("", ".gz", ".zip", usual=0.6)
    data = {"empty": b"", "a web page": PAGE}.get(fault, data)
    data = _packed(data, packed)
    if fault == "cut off":
        data = data[:-12]
    refused = VECTOR_FAULTS.get(fault)
    if form == "npz" and fault != "sound":
        of_npz = {"not finite": "row 3 .*not finite", "other words": "none of the"}
        readable = fault in ("a number too few", "a number too many", "no number")
        refused = None if readable else of_npz.get(fault, "can't read")
    return Odd(choose.name, {f"v{ending}{packed}": data}, {"wanted": WORDS}, truth, refused)


def _vector_lines(choose: Chooser, lines: list[tuple[str, np.ndarray]], fault: str) -> bytes:
    rows = [[w, *(str(float(n)) for n in v)] for w, v in lines]
    if choose.maybe("exponents", 0.2):
        rows = [[w, *(f"{float(n):.7e}" for n in v)] for w, *v in rows]
    if fault == "a number too few":
        rows[3].pop()
    if fault == "a number too many":
        rows[3].append("0.5")
    if fault in ("no number", "not finite"):
        rows[3][2] = "x" if fault == "no number" else "nan"
    separator = "\t" if choose.maybe("tabs", 0.1) else " "
    end = choose("\n", "\r\n", " \n", usual=0.5)
    content = "".join(separator.join(row) + end for row in rows)
    if choose.maybe("a header", 0.4):
        content = f"{len(rows)} 4{end}{content}"
    content += 3 * end * choose.maybe("blank lines")
    return content.encode("utf-8-sig" if choose.maybe("a mark", 0.1) else "utf-8")


# Arrays.

ARRAY_FAULTS = {
    "too few labels": "labels, expected as many", "not a number": "input 2 has a NaN",
    "one class": "has one class", "a rare class": "has one example",
    "a missing label": "label 1 is", "words as inputs": "expected numbers",
    "other shapes": "shape", "only test inputs": "one of x_test and y_test",
}  # fmt: skip
KINDS = ("uint8", "int64", "uint16", "float32", "float64", "float16")


def arrays(*seed: int) -> Odd:
    """Arrays as of Keras; the truth are images `[N, height, width, 1 or 3]`, and labels."""
    choose = Chooser(seed)
    rng, number = choose.rng, int(choose.rng.integers(8, 16))
    fault = choose("sound", *ARRAY_FAULTS, usual=0.6)
    channels = int(choose("1", "3", "4", "0", usual=0.2))
    shape = (number, *rng.integers(12, 20, 2), *[channels] * (channels > 0))
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    kind = choose(*KINDS)
    x: Any = pixels.astype(kind)
    if kind.startswith("f") and choose("0 to 255", "0 to 1") == "0 to 1":
        x = (pixels / 255).astype(kind)
    if channels and choose.maybe("channels first"):
        x = np.moveaxis(x, -1, 1)
    y, names = _labels(choose, number)
    data = {"x_train": x, "y_train": y, "x_test": x[:4], "y_test": y[:4]}
    data |= _damaged(fault, x, y)
    if fault == "only test inputs":
        del data["y_test"]
    seen = _on_white(pixels[..., :3], pixels[..., 3:]) if channels == 4 else pixels
    truth = (seen if channels else seen[..., None], names)
    return Odd(choose.name, data, {}, truth, ARRAY_FAULTS.get(fault))


def _labels(choose: Chooser, number: int) -> tuple[Any, list[str]]:
    """Labels as people have them, and the names of their classes."""
    kind = choose("numbers", "from 1", "words", "bytes", "floats", "column", "objects", "truths")
    y = np.arange(number) % (2 if kind == "truths" else 3)
    words = ["kind \u00e9" if i == 1 else f"kind {i}" for i in y]
    plain = [str(i) for i in y]
    return {
        "numbers": (y, plain), "from 1": (y + 1, [str(i + 1) for i in y]),
        "words": (np.array(words), words), "objects": (np.array(words, object), words),
        "bytes": (np.array([word.encode() for word in words]), words),
        "floats": (y.astype(np.float64), plain), "column": (y[:, None], plain),
        "truths": (y == 1, [str(i == 1) for i in y]),
    }[kind]  # fmt: skip


def _damaged(fault: str, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays that a fault changes."""
    places = np.arange(len(x))
    lacking = x.astype("f4")
    lacking[2].flat[3] = np.nan
    return {
        "too few labels": {"y_train": y[:-1]}, "not a number": {"x_train": lacking},
        "one class": {"y_train": 0 * places},
        "a rare class": {"y_train": np.where(places == 5, 7, places % 2)},
        "a missing label": {"y_train": np.where(places == 1, np.nan, places % 2)},
        "words as inputs": {"x_train": x.astype(str)}, "other shapes": {"x_test": x[:4, :, 1:]},
    }.get(fault, {})  # fmt: skip


def _on_white(pixels: np.ndarray, opaque: np.ndarray) -> np.ndarray:
    part = opaque / 255
    return np.round(pixels * part + 255 * (1 - part)).astype(np.uint8)


# Folders of images.

SPLITS = (
    ("train", "test"),
    ("Training", "Testing"),
    ("train_set", "valid"),
    ("seg_train", "seg_test"),
)
FORMS = ("png", "bmp", "webp", "PNG", "gif", "png as jpg")
BESIDE = {
    "cat/notes.txt": b"", ".hidden/1.png": b"x", "@eaDir/1.png": b"x", "cat/.DS_Store": b"",
    "cat/._1.png": b"x", "__MACOSX/cat/1.png": b"x", "cat/.ipynb_checkpoints/1.png": b"x",
    "Thumbs.db": b"", "readme.md": b"", "labels.csv": b"a,b",
}  # fmt: skip
PICTURE_FAULTS = {
    "a web page": ("is HTML", PAGE), "a text": ("its format is not known", b"text"),
    "cut off": ("cut off", b""),
    "a pointer": ("is a Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\n"),
}  # fmt: skip


def folder(*seed: int) -> Odd:
    """A folder of images; the truth are the images of each split, each with its class.

    An image is of whole numbers `[height, width, 3]`, or of one channel if all are grey.
    """
    choose = Chooser(seed)
    rng = choose.rng
    splits = ("",) if choose("one", "splits") == "one" else SPLITS[rng.integers(len(SPLITS))]
    above = choose("", "data/", "my pictures/\u6f22/", usual=0.6)
    classes = choose("cat dog", "0 1 10", "\u00e9 \U0001f600", "a.b c-d", usual=0.3).split()
    size = ((12, 15), (16, 13))[rng.integers(2)]
    modes = choose("grey", "colours", "any", usual=0.3)
    fault = choose("sound", *PICTURE_FAULTS, "one class", usual=0.6)
    if fault == "one class":
        classes = classes[:1]
    files: dict[str, bytes] = {}
    truth: list[list[tuple[str, np.ndarray]]] = [[] for _ in splits]
    all_grey = True
    for split, found in zip(splits, truth, strict=True):
        for name in classes:
            below = "more/" if choose.maybe("deeper", 0.1) and len(classes) > 1 else ""
            for i in range(4 if split == splits[0] else 2):
                form = choose(*FORMS, usual=0.4)
                grey = modes == "grey" or (modes == "any" and rng.random() < 0.5)
                data, pixels = _picture(choose, form, grey, size)
                all_grey &= pixels.ndim == 2
                ending = "jpg" if form == "png as jpg" else form
                files[f"{above}{split}/{name}/{below}im {i}.{ending}".replace("//", "/")] = data
                found.append((name, pixels))
    path = f"{above}{splits[0]}/{classes[0]}/bad.png".replace("//", "/")
    if fault in PICTURE_FAULTS:
        files[path] = PICTURE_FAULTS[fault][1] or next(iter(files.values()))[:70]
    beside = [name for name in BESIDE if choose.maybe(name, 0.15)]
    files |= {(above + name).replace("cat", classes[0]): BESIDE[name] for name in beside}
    files = {name.lstrip("/"): data for name, data in files.items()}
    deep = 1 if all_grey else 3
    truth = [[(n, p if p.ndim == 3 else np.stack([p] * deep, -1)) for n, p in found]
             for found in truth]  # fmt: skip
    skip = fault in PICTURE_FAULTS and choose.maybe("skip bad", 0.5)
    cause = PICTURE_FAULTS[fault][0] if fault in PICTURE_FAULTS else "has one class"
    refused = None if fault == "sound" or skip else cause
    said = (rf"can't read 1 of \d+ images: .*{cause}.*left out",) * skip
    return Odd(choose.name, files, {"skip_bad": skip}, (tuple(classes), truth), refused, said)


def _picture(
    choose: Chooser, form: str, grey: bool, size: tuple[int, ...]
) -> tuple[bytes, np.ndarray]:
    """A file without loss, and its pixels as they look on white."""
    rng, kind = choose.rng, form.removesuffix(" as jpg").lower()
    pixels = rng.integers(0, 256, size if grey else (*size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    how: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    if kind in ("gif", "webp") and grey:
        image, pixels = image.convert("RGB"), np.stack([pixels] * 3, -1)
    if kind == "gif":
        image = image.quantize(64)
        pixels = np.asarray(image.convert("RGB"))
    elif kind == "png" and choose.maybe("transparent", 0.2):
        opaque = rng.integers(0, 256, size, dtype=np.uint8)
        image.putalpha(Image.fromarray(opaque))
        pixels = _on_white(pixels, opaque if grey else opaque[..., None])
    elif kind == "png" and not grey and choose.maybe("a palette", 0.2):
        image = image.quantize(64)
        pixels = np.asarray(image.convert("RGB"))
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue(), pixels
