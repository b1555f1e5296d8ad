"""Several runs in one table: as text, CSV or HTML."""

import csv
import dataclasses
import io
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_distill.common import (
    UserError,
    measure_of,
    minutes,
    network_name,
    percent,
    spread,
    write_text,
)
from tf_distill.config import FREE, Config, completed
from tf_distill.report import pages
from tf_distill.report.record import Record, read_numbers

Row = dict[str, Any]
ACCURACIES = ("accuracy, %", "R2, %", "accuracy or R2, %")
"""Headings of what was measured, of classes, of quantities and of both."""
NUMBERS = ("samples", "steps x epochs", *ACCURACIES, "RMSE", "networks", "ratio, %", "time", "seed")
"""The columns that are set flush right."""
MEASURED = ("run", *ACCURACIES, "RMSE", "ratio, %", "best baseline, %", "time")
"""The columns that hold results, not settings."""
RESULTS = {"mean", "std", "rmse", "ratio", "best_baseline", "best_baseline_mean", "seconds", "seed"}
"""Values that may differ between the runs of one experiment, as may their "run"."""
WORDED = RESULTS | {"steps", "epochs", "networks"}
"""Values that the table shows under other headings, or at its end."""
TOLD = {*FREE, "dataset", "model", "init", "labels", "samples_per_step", "steps", "epochs", "seed",
        "eval_split", "eval_networks", "eval_every"}  # fmt: skip
"""Settings that have a column anyway, or that do not change the results."""


def compare(folders: Sequence[Path], out: Path | None = None) -> list[Row]:
    """Reads the results of runs, and writes their table to a file if one is named.

    A folder without a finished run is left out, with a line on stderr. The ending of `out` says
    its format: .csv, .html or .txt.

    Returns:
        A row a run, in the order given. Accuracies and ratios are fractions; None stands for
        "not known". Of quantities they are R2, and there is the "rmse". The best baseline is
        "unfinished" while its comparison lacks rows. Settings that differ between the runs have
        columns of their own.

    Raises:
        UserError: none of the folders holds a finished run, or `out` has another ending
            or can't be written.
    """
    if out and out.suffix not in WRITERS:
        raise UserError(f"got {out}, expected a name that ends in {', '.join(WRITERS)}")
    records = [record for folder in folders if (record := _read(folder))]
    if not records:
        raise UserError(
            f"none of {len(folders)} folders holds a finished run; give folders with results.json"
        )
    differing = _differing(records)
    rows = [_row(record, differing) for record in records]
    if any(record.target for record in records):
        rows = [row | _error(record) for row, record in zip(rows, records, strict=True)]
    if out:
        try:
            write_text(out, WRITERS[out.suffix](rows))
        except OSError as error:
            raise UserError(f"can't write {out}: {error.strerror}; name another file") from error
    return rows


def describe(names: Sequence[str], out: str | None) -> str:
    """What `--mode=compare` prints: the table of the runs in folders of these names.

    Files among the names are passed over; a sweep's folder stands for its sizes. Names in
    the order of letters, as a shell gives them, are sorted with 3 before 10.

    Raises:
        UserError: as `compare`; or no folder is named.
    """
    if list(names) == sorted(names):  # as from runs/*, by letters
        names = sorted(names, key=_natural)
    folders = [inner for name in names for inner in _runs(Path(name))]
    if not folders:
        raise UserError("mode=compare got no folder, expected some, such as runs/*")
    return to_text(compare(folders, Path(out) if out else None)).rstrip()


def _runs(path: Path) -> list[Path]:
    """The folders of a name: itself, or a sweep's sizes."""
    if path.is_file():
        return []
    sizes = [p for p in path.glob("size_*") if (p / "results.json").exists()]
    return sorted(sizes, key=lambda size: _natural(size.name)) or [path]


def _natural(name: str) -> list[tuple[str, int]]:
    """To sort by numbers in names as numbers."""
    parts = re.findall(r"([^0-9]*)([0-9]{0,18})", name)
    return [(text, int(digits or -1)) for text, digits in parts]


def to_text(rows: Sequence[Row]) -> str:
    """The table in aligned columns, for a terminal; below it common settings and means of seeds."""
    table, notes = _table(rows)
    heads = list(table[0])
    widths = {head: max(len(head), *(len(cells[head]) for cells in table)) for head in heads}
    sides = {head: ">" if head in NUMBERS else "<" for head in heads}
    lines = [dict(zip(heads, heads, strict=True)), *table]
    text = ("  ".join(f"{line[h]:{sides[h]}{widths[h]}}" for h in heads) for line in lines)
    return "\n".join([*(line.rstrip() for line in text), *notes]) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a line of names; accuracies are fractions."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_html(rows: Sequence[Row]) -> str:
    """The table as a self-contained page that looks like a run's report."""
    table, notes = _table(rows)
    return pages.render("compare.html", table=table, notes=notes, numbers=NUMBERS)


WRITERS = {".csv": to_csv, ".html": to_html, ".txt": to_text}


def _read(folder: Path) -> Record | None:
    try:
        return read_numbers(folder)
    except UserError as error:
        print(f"left out: {error}", file=sys.stderr)
        return None


def _differing(records: Sequence[Record]) -> list[str]:
    """The names of the settings that are not the same in all runs."""
    settings = [completed(record.config) for record in records]
    # Of keep=best the result depends on how often a run is evaluated.
    told = TOLD - {"eval_every" for values in settings if values.get("keep") == "best"}
    names = [field.name for field in dataclasses.fields(Config) if field.name not in told]
    return [name for name in names if len({str(values.get(name)) for values in settings}) > 1]


def _row(record: Record, differing: Sequence[str]) -> Row:
    settings, accuracy, best = record.results, record.accuracy, record.best_baseline
    names = {"dataset": "dataset", "network": "model", "init": "init", "labels": "labels",
             "samples": "distilled_samples", "steps": "steps", "epochs": "epochs"}  # fmt: skip
    others = completed(record.config)
    return {
        "run": str(record.path),
        **{name: accuracy[name] for name in ("mean", "std", "networks")},
        "ratio": record.ratio,
        "best_baseline": "unfinished" if record.missing else best and best["title"],
        "best_baseline_mean": best and best["mean"],
        "seconds": settings["seconds"],
        **{column: settings.get(name) for column, name in names.items()},
        **{name: others.get(name) for name in differing},
        "split": settings.get("eval_split"),
        "seed": settings.get("seed"),
    }


def _error(record: Record) -> Row:
    """The root mean squared error of a quantity, None for classes."""
    return {"rmse": record.results.get("rmse", {}).get("mean")}


def _table(rows: Sequence[Row]) -> tuple[list[dict[str, str]], list[str]]:
    """The rows in words, by headings, and lines: common settings, and means over seeds."""
    heading = _heading(rows)
    table = [_cells(row, heading) for row in rows]
    values = {head: {cells[head] for cells in table} for head in table[0]}
    same = [h for h in values if len(rows) > 1 and len(values[h]) == 1 and h not in MEASURED]
    shown = [head for head in values if head not in same and values[head] != {""}]
    told = [f"{head} {table[0][head]}" for head in same if table[0][head]]
    lines = [f"In all: {', '.join(told)}"] if told else []
    return [{head: cells[head] for head in shown} for cells in table], lines + _over_seeds(rows)


def _over_seeds(rows: Sequence[Row]) -> list[str]:
    """A line for each experiment with several seeds; of runs with one seed the last counts."""
    experiments: dict[tuple[str, ...], dict[int, Row]] = {}
    for row in rows:
        settings = tuple(
            repr(value) for name, value in row.items() if name not in RESULTS | {"run"}
        )
        experiments.setdefault(settings, {})[row["seed"]] = row
    return [_mean(by_seed) for by_seed in experiments.values() if len(by_seed) > 1]


def _mean(by_seed: dict[int, Row]) -> str:
    names = dict.fromkeys(row["run"].removesuffix(f"_seed{seed}") for seed, row in by_seed.items())
    means = [row["mean"] for row in by_seed.values()]
    accuracy = spread(statistics.mean(means), statistics.stdev(means), len(means))
    seeds = f"{len(means)} seeds ({', '.join(map(str, by_seed))})"
    measure = measure_of(next(iter(by_seed.values())).get("rmse"))
    over = "(standard deviation over seeds, n - 1)"
    return _plain(f"{', '.join(names)}, {seeds}: {measure} {accuracy} {over}")


def _heading(rows: Sequence[Row]) -> str:
    """The heading of what was measured."""
    quantities = {row.get("rmse") is not None for row in rows}
    return ACCURACIES[sum(quantities) if len(quantities) == 1 else 2]


def _cells(row: Row, heading: str) -> dict[str, str]:
    """A row in words, by the headings of the table."""
    best = f"{row['best_baseline'] or ''} {percent(row['best_baseline_mean'])}".strip()
    cells = {
        "run": row["run"],
        heading: spread(row["mean"], row["std"], row["networks"]),
        **({"RMSE": row["rmse"] and f"{row['rmse']:.4g}"} if "rmse" in row else {}),
        "ratio, %": percent(row["ratio"], 1),
        "best baseline, %": best,
        "time": minutes(row["seconds"]),
        **{name: value for name, value in row.items() if name not in WORDED},
        "network": network_name(row["network"]),
        "steps x epochs": f"{row['steps']} x {row['epochs']}",
        "networks": row["networks"],
        "seed": row["seed"],
    }
    return {head: "" if value is None else _plain(str(value)) for head, value in cells.items()}


def _plain(text: str) -> str:
    """The text without characters that move a terminal's cursor or end a line."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
