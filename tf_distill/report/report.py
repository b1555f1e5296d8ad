"""report.html of a run: one self-contained page, made from the files of its folder alone."""

import base64
import re
import shlex
import struct
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill import config
from tf_distill.common import (
    GROUPS,
    OWN,
    UserError,
    output_names,
    shown_part,
    write_bytes,
    write_text,
    writing_to,
)
from tf_distill.datasets import DATASETS, Entry, counts_in_words, described, is_own, load
from tf_distill.networks import NETWORKS
from tf_distill.report import pages
from tf_distill.report.figures import DARK, Plate, missing_letters_told, plates, render
from tf_distill.report.record import Record, read

NAME = "report.html"
SENTENCES_SHOWN, WORDS_SHOWN, CLASSES_SHOWN, ROWS_SHOWN = 40, 200, 12, 20
PICTURES = Path("set", "1", "samples")
"""Where a run keeps each distilled picture as a file."""
GROUP_TITLES = ("Distilled set", "Baselines", "Controls", "Other networks")
VERSIONS = ("tf_distill", "tensorflow", "keras")
ASKED = {"image": "--images picture.png", "text": '"A text ?"'}
"""What the client sends to a served model of classes, by the kind of its inputs."""
Values = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws the figures of a finished run, or of a sweep, anew and writes its report.

    No dataset is loaded. The report leaves out what has not been measured (comparison.json,
    sweep.json, ranking.json, audit.json), and names the rows that a comparison still lacks. Returns
    its path.

    Raises:
        UserError: the folder holds no finished run or damaged files, or can't be written.
    """
    record = read(folder)
    if (folder / "figures").is_symlink():
        raise UserError(f"{folder / 'figures'} leads to another folder; make it one, or delete it")
    with writing_to(folder, "copy it to where you may write"):
        (folder / "figures").mkdir(exist_ok=True)
        if lines := _metadata(record).get("sentences"):
            write_text(folder / "figures" / "sentences.txt", "\n".join([*lines, ""]))
        with missing_letters_told():
            page = pages.render("report.html", **_values(record))
        write_text(folder / NAME, page)
    return folder / NAME


def _values(record: Record) -> Values:
    """The values of the template."""
    rows = {group: [row for row in record.rows if row["group"] == group] for group in GROUPS}
    return {
        "record": record,
        "groups": list(zip(GROUP_TITLES, rows.values(), strict=True)),
        "figures": [_figure(record, plate) for plate in plates(record)],
        "sentences": _sentences(record),
        "rows": _rows(record),
        "settings": _settings(record),
        "command": _command(record),
        "classes": _classes(record),
        "by_class": _by_class(record),
        "pictures": any((record.path / PICTURES).glob("*.png")),
        "versions": [(name, record.results[name]) for name in VERSIONS if name in record.results],
        "export": repr(str(record.path / "distilled" / "1")),
        "folder": shlex.quote(str(record.path)),
        "asked": None if record.target else ASKED.get(_input(record).get("kind", "")),
    }


def _figure(record: Record, plate: Plate) -> Values:
    """Writes a figure's file, and returns it on light and on dark as data URIs."""
    draw = lambda: plate.draw(record)  # noqa: E731
    light = render(draw)
    write_bytes(record.path / "figures" / f"{plate.name}.png", light)
    width, height = struct.unpack(">II", light[16:24])  # of the PNG's header
    images = {"light": _data_uri(light), "dark": _data_uri(render(draw, DARK))}
    return {"plate": plate, **images, "width": width, "height": height}


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _sentences(record: Record) -> Values:
    """The decoded sentences with their labels, the top class marked (Tables 6, 7)."""
    metadata = _metadata(record)
    if record.distilled is None or "sentences" not in metadata:
        return {"rows": [], "note": ""}
    y = np.asarray(record.distilled.samples.y)
    decoded = decoded_words(metadata["sentences"])
    shown = list(zip(decoded, np.ndindex(y.shape[:2]), strict=False))[:SENTENCES_SHOWN]
    rows = [
        {"name": f"{s + 1}.{j + 1}" if len(y) > 1 else f"{j + 1}",
         "words": " ".join(words[:WORDS_SHOWN]), "label": _label(y[s, j], metadata["classes"]),
         "cut": shown_part(WORDS_SHOWN, len(words), "words")}
        for words, (s, j) in shown
    ]  # fmt: skip
    real = "samples" not in metadata.get("learn", "samples")
    return {
        "rows": rows,
        "real": real,
        "note": shown_part(len(rows), len(decoded), "sentences"),
    }


def _rows(record: Record) -> Values:
    """The rows of a table as people write them, with their labels."""
    if _input(record).get("kind") != "table" or record.distilled is None:
        return {"rows": [], "note": ""}
    rows = record.distilled.rows()
    shown = [[*row.values()] for row in rows[:SENTENCES_SHOWN]]
    return {"names": [*rows[0]], "rows": shown, "note": shown_part(len(shown), len(rows), "rows")}


def decoded_words(lines: list[str]) -> list[list[str]]:
    """The words of each sentence in the metadata's "sentences"."""
    found: list[list[str]] = []
    for line in lines:
        if re.match(r"step \d+, sentence \d+: ", line):
            found.append([])
        elif found:
            found[-1] += line.split()
    return found


def _label(label: np.ndarray, classes: list[str]) -> list[Values]:
    """Names and values of a label; of many, the largest in order."""
    names = output_names(classes, len(label))
    order = np.argsort(-label)[:CLASSES_SHOWN] if len(label) > CLASSES_SHOWN else range(len(label))
    top = int(np.argmax(label)) if len(label) > 1 else None
    return [{"class": names[i], "value": f"{label[i]:z.2f}", "top": i == top} for i in order]


def _settings(record: Record) -> list[tuple[str, Any]]:
    """The settings of the run, except paths and settings without effect."""
    left_out = (*config.PLACES, *(config.BROUGHT if record.config.get("start") else ()))
    given = {k: v for k, v in record.config.items() if k not in left_out and v is not None}
    return [(name.replace("_", " "), value) for name, value in given.items()]


def _command(record: Record) -> str:
    """The command that makes the run; "" for a sweep, and for data or a network of Python."""
    dataset, model = record.config.get("dataset", ""), record.config.get("model", "")
    known = dataset in DATASETS or is_own(dataset)
    if not record.results or model.startswith(OWN) or not known:
        return ""
    return config.shortest_command(record.config, _registry(record), NETWORKS)


def _classes(record: Record) -> str:
    """The classes with the number of their training examples; "" in older results."""
    numbers = record.results.get("class_examples")
    return f"Training examples of {counts_in_words(numbers)}." if numbers else ""


def _by_class(record: Record) -> Values:
    """The accuracies of the classes; of many the lowest, with a note."""
    rows = [c for c in record.by_class if c.accuracy is not None]
    if len(rows) <= ROWS_SHOWN:
        return {"rows": rows, "note": ""}
    lowest = sorted(rows, key=lambda c: c.accuracy or 0)[:ROWS_SHOWN]
    return {"rows": lowest, "note": f"The {ROWS_SHOWN} lowest of {len(rows)} classes."}


def _registry(record: Record) -> dict[str, Entry]:
    """The datasets by name, with own data as the run's files describe them: these may be gone."""
    if not is_own(record.config["dataset"]) or "train" not in record.inputs:
        return DATASETS
    about, train = _metadata(record), record.inputs["train"]
    kind, shape = about["input"]["kind"], about["input"]["shape"]
    entry = described(kind, len(about["classes"]), shape, train, lambda *_: load(record.config))
    return {**DATASETS, record.config["dataset"]: entry}


def _input(record: Record) -> Values:
    """What the set says of its inputs; {} for a sweep."""
    return _metadata(record).get("input", {})


def _metadata(record: Record) -> Values:
    """What the distilled set says of itself; {} for a sweep."""
    return record.distilled.metadata if record.distilled else {}
