"""report.html of a run: one self-contained file, made from the files of its folder alone."""

import base64
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from tf_distill import config
from tf_distill.common import (
    GROUPS,
    UserError,
    output_names,
    shown_part,
    write_bytes,
    write_text,
    writing_to,
)
from tf_distill.datasets import DATASETS, Entry, is_own, load, user_data
from tf_distill.networks.registry import NETWORKS
from tf_distill.report import pages
from tf_distill.report.figures import gallery
from tf_distill.report.figures.style import DARK, missing_letters_told, render
from tf_distill.report.record import Record, read
from tf_distill.runs.folder import Inputs, of_python, recall_inputs

NAME = "report.html"
SENTENCES_SHOWN, WORDS_SHOWN, CLASSES_SHOWN = 40, 200, 12
GROUP_TITLES = dict(
    zip(GROUPS, ("Distilled set", "Baselines", "Controls", "Other networks"), strict=True)
)
VERSIONS = ("tf_distill", "tensorflow", "keras")
Values = dict[str, Any]


def write(folder: Path) -> Path:
    """Draws all figures of a finished run, or of a sweep, again and writes its report.

    No dataset is loaded; what is not in the folder yet (comparison.json, sweep.json,
    ranking.json) is left out, and the report says what a comparison still lacks.

    Args:
        folder: of the run; `figures/` and `report.html` in it are written.

    Returns:
        The path of the report.

    Raises:
        UserError: the folder holds no finished run, damaged files, or can't be written.
    """
    record = read(folder)
    if (folder / "figures").is_symlink():
        raise UserError(f"{folder / 'figures'} leads to another folder; make it one, or delete it")
    with writing_to(folder, "copy it to where you may write"):
        (folder / "figures").mkdir(exist_ok=True)
        if "sentences" in record.metadata:
            words = "\n".join([*record.metadata["sentences"], ""])
            write_text(folder / "figures" / "sentences.txt", words)
        with missing_letters_told():
            page = pages.render("report.html", **_values(record))
        write_text(folder / NAME, page)
    return folder / NAME


def _values(record: Record) -> Values:
    """What the template shows."""
    return {
        "record": record,
        "groups": [
            (title, [row for row in record.rows if row["group"] == group])
            for group, title in GROUP_TITLES.items()
        ],
        "figures": [_figure(record, plate) for plate in gallery.plates(record)],
        "sentences": _sentences(record),
        "settings": _settings(record),
        "command": _command(record),
        "versions": [(name, record.results[name]) for name in VERSIONS if name in record.results],
        "export": repr(str(record.path / "distilled" / "1")),
        "folder": shlex.quote(str(record.path)),
    }


def _figure(record: Record, plate: gallery.Plate) -> Values:
    """Writes a figure's file, and gives it for light and for dark as data URIs."""
    draw = lambda: plate.draw(record)  # noqa: E731
    light = render(draw)
    write_bytes(record.path / "figures" / f"{plate.name}.png", light)
    width = int.from_bytes(light[16:20], "big")  # of the PNG's header
    height = int.from_bytes(light[20:24], "big")
    return {
        "plate": plate,
        "light": _data_uri(light),
        "dark": _data_uri(render(draw, DARK)),
        "width": width,
        "height": height,
    }


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _sentences(record: Record) -> Values:
    """The decoded sentences with their labels, the top class marked (Tables 6, 7)."""
    if record.samples is None or "sentences" not in record.metadata:
        return {"rows": [], "note": ""}
    labels = np.concatenate(np.asarray(record.samples.y))
    decoded = decoded_words(record.metadata["sentences"])
    shown = list(zip(decoded, labels, strict=False))[:SENTENCES_SHOWN]
    rows = [
        {"words": " ".join(words[:WORDS_SHOWN]), "label": _label(label, record.metadata["classes"]),
         "cut": shown_part(WORDS_SHOWN, len(words), "words")}
        for words, label in shown
    ]  # fmt: skip
    steps, n = record.samples.y.shape[:2]
    for row, (s, j) in zip(rows, np.ndindex(steps, n), strict=False):
        row["name"] = f"{s + 1}.{j + 1}" if steps > 1 else f"{j + 1}"
    return {"rows": rows, "note": shown_part(len(rows), len(decoded), "sentences")}


def decoded_words(lines: list[str]) -> list[list[str]]:
    """The words of each sentence in the text that `outcome.sentences` writes."""
    found: list[list[str]] = []
    for line in lines:
        if re.match(r"step \d+, sentence \d+: ", line):
            found.append([])
        elif found:
            found[-1] += line.split()
    return found


def _label(label: np.ndarray, classes: list[str]) -> list[Values]:
    """Names and values of a label, the largest first where there are many."""
    names = output_names(classes, len(label))
    order = np.argsort(-label)[:CLASSES_SHOWN] if len(label) > CLASSES_SHOWN else range(len(label))
    top = int(np.argmax(label)) if len(label) > 1 else None
    return [{"class": names[i], "value": f"{label[i]:z.2f}", "top": i == top} for i in order]


def _settings(record: Record) -> list[tuple[str, Any]]:
    """The settings that were made, but for where things lie and what does nothing."""
    left_out = (*config.PLACES, *(config.BROUGHT if record.config.get("start") else ()))
    return [
        (name.replace("_", " "), value)
        for name, value in record.config.items()
        if name not in left_out and value is not None
    ]


def _command(record: Record) -> str:
    """The command that makes the run; "" for a sweep, and for what only Python has."""
    known = recall_inputs(record.path)
    dataset = record.config.get("dataset", "")
    named = dataset in DATASETS or is_own(dataset)
    if not record.results or not named or of_python(known):
        return ""
    return config.shortest_command(record.config, _registry(record, known), NETWORKS)


def _registry(record: Record, known: Inputs) -> dict[str, Entry]:
    """The datasets by name, with own data as the run's files tell of them: they may be gone."""
    if not is_own(record.config["dataset"]) or "train" not in known:
        return DATASETS
    given, classes = record.metadata["input"], len(record.metadata["classes"])
    entry = user_data.described(
        given["kind"], classes, given["shape"], known["train"], lambda *_: load(record.config)
    )
    return {**DATASETS, record.config["dataset"]: entry}
