"""Keeps comparisons of runs, and makes the tables of docs/evaluation.md from them.

python results/comparisons.py add RUN_DIR NAME  # keeps a run's numbers as comparisons/NAME.json
python results/comparisons.py                   # puts the tables in the place of the old ones
"""

import json
import sys
from pathlib import Path

import cells
import page

from tf_distill import config
from tf_distill.common import files, percent, spread
from tf_distill.datasets import DATASETS
from tf_distill.networks import NETWORKS
from tf_distill.report import Record

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "evaluation.md"
BEGIN, END = "<!-- comparisons -->\n", "<!-- end of comparisons -->"
SCORES_BEGIN, SCORES_END = "<!-- scores -->\n", "<!-- end of scores -->"
FIRST_BEGIN, FIRST_END = "<!-- first -->\n", "<!-- end of first -->"
TRAINED_BEGIN, TRAINED_END = "<!-- training -->\n", "<!-- end of training -->"
COLUMNS = {
    "digits_lenet": "digits, LeNet, 10",
    "mnist_lenet": "MNIST, LeNet, 10",
    "trec6_bilstm": "TREC-6, Bi-LSTM, 6",
    "mnist_lenet_random_100": "MNIST, LeNet, 100, random",
}
TRAINED = {
    "mnist_lenet_training": ("MNIST, LeNet, 100 images", "mnist_lenet_random_100"),
    "digits_lenet_training": ("digits, LeNet, 100 images", ""),
    "fashion_lenet_training": ("Fashion-MNIST, LeNet, 100 images", ""),
    "mnist_convnet_training_10": ("MNIST, ConvNet of width 64, 10 images", ""),
    "trec6_textconvnet_training": (
        "TREC-6, text CNN, 60 sentences",
        "trec6_textconvnet_random_10_steps",
    ),
    "trec6_textconvnet_training_labels": (
        "TREC-6, text CNN, 60 real sentences, labels learned",
        "",
    ),
    "sst5_textconvnet_training": (
        "SST-5, text CNN, 50 sentences",
        "sst5_textconvnet_random_10_steps",
    ),
    "imdb_textconvnet_training": ("IMDB, text CNN, 20 sentences", "imdb_textconvnet_random_20"),
}
"""Sets for ordinary training, and the set of the paper that is for replay in random networks."""
FIRST = "mnist_lenet_training"
SUBSETS = ("random_real", "k_means", "medoids")
PAPER = {
    "distilled": "82.75 ± 2.75",
    "random_real": "68.6 ± 9.8",
    "optimized_real": "73.0 ± 7.6",
    "k_means": "76.4 ± 9.5",
    "average": "77.1 ± 2.7",
    "random_real_neighbours": "71.5 ± 2.1",
    "k_means_neighbours": "92.2 ± 0.1",
}
"""The row MNIST of Table 2, 100 images, random initialization."""


def add(run_dir: Path, name: str) -> None:
    """Keeps the results and the comparison of a finished run."""
    kept = {file: files.read_json(run_dir / f"{file}.json") for file in ("results", "comparison")}
    files.write_text(HERE / "comparisons" / f"{name}.json", json.dumps(kept) + "\n")


def section(kept: dict[str, dict]) -> str:
    """The table, a column a comparison, and the commands that made them.

    Args:
        kept: the content of the files by name.
    """
    names = [name for name in COLUMNS if name in kept]
    rows = {n: {r["name"]: r for r in kept[n]["comparison"]["rows"]} for n in names}
    titles = {
        r["name"]: (i, r["title"])
        for n in reversed(names)  # the first decides the order
        for i, r in enumerate(kept[n]["comparison"]["rows"])
    }
    records = {n: Record(HERE, {}, **kept[n]) for n in names}
    original = [percent(records[n].original) for n in names]
    heads = ["accuracy, %", *(COLUMNS[n] for n in names), "paper: MNIST, LeNet, 100, random"]
    lines = [
        page.line(heads),
        page.line(["---"] * len(heads)),
        page.line(["all training data", *original, "99"]),
    ]
    for row in sorted(titles, key=lambda name: titles[name][0]):
        cells = [_cell(rows[n].get(row)) for n in names]
        lines.append(page.line([titles[row][1], *cells, PAPER.get(row, "")]))
    commands = [f"    {_command(kept[n]['results'])}\n" for n in names]
    minutes = [_minutes(records[n]) for n in names]
    times = ", ".join(f"{COLUMNS[n]}: {m}" for n, m in zip(names, minutes, strict=True))
    return "".join(lines) + "\n" + "".join(commands) + f"\nMinutes of the comparison: {times}.\n"


def trained_section(kept: dict[str, dict]) -> str:
    """The sets for ordinary training beside as many real examples; `kept` as for `section`."""
    titles = ["accuracy", "random real", "k-means", "medoids", "in its own steps (replay)"]
    lines = [["set", *(f"{title}, %" for title in titles)], ["---"] * 6]
    for name, (title, replay) in TRAINED.items():
        found = cells.results(name) or [kept[name]["results"]]
        rows = {r["name"]: r for r in kept[name]["comparison"]["rows"]} if name in kept else {}
        real = [_cell(rows.get(subset)) for subset in SUBSETS]
        lines.append([title, _accuracy(found), *real, _accuracy(cells.results(replay))])
    return "".join(map(page.line, lines))


def first_section(kept: dict) -> str:
    """All other rows of one such set; `kept` is the content of its file."""
    rows = [row for row in kept["comparison"]["rows"] if row["name"] not in SUBSETS]
    lines = [["row", "accuracy, %"], ["---"] * 2, *([row["title"], _cell(row)] for row in rows)]
    return "".join(map(page.line, lines))


def scores_section(kept: dict[str, dict]) -> str:
    """DD-Ranking's scores, of the sets that have the rows for them; `kept` as for `section`."""
    records = {n: Record(HERE, kept[n]["results"], **kept[n]) for n in TRAINED if n in kept}
    found = {name: record.dd_ranking for name, record in records.items()}
    heads = list(dict.fromkeys(score for scores in found.values() for score in scores))
    lines = [["set", *heads], ["---"] * (1 + len(heads))]
    for name, scores in found.items():
        if scores:
            told = [f"{scores[head]:.4f}" if head in scores else "" for head in heads]
            lines.append([TRAINED[name][0], *told])
    return "".join(map(page.line, lines))


def put_into(text: str) -> str:
    """The page with its tables replaced."""
    kept = {p.stem: files.read_json(p) for p in (HERE / "comparisons").glob("*.json")}
    text = page.put_between(text, BEGIN, END, section(kept))
    text = page.put_between(text, TRAINED_BEGIN, TRAINED_END, trained_section(kept))
    text = page.put_between(text, FIRST_BEGIN, FIRST_END, first_section(kept[FIRST]))
    return page.put_between(text, SCORES_BEGIN, SCORES_END, scores_section(kept))


def _cell(row: dict | None) -> str:
    return spread(row["mean"], row["std"], row["networks"]) if row else ""


def _accuracy(found: list[dict]) -> str:
    if not found:
        return ""
    summary = cells.summarize(found)
    return spread(summary.accuracy, summary.spread or 0, found[0]["accuracy"]["networks"])


def _command(results: dict) -> str:
    settings = {k: v for k, v in results.items() if k not in ("eval_every", "eval_networks")}
    return config.shortest_command(settings, DATASETS, NETWORKS) + " --mode=baselines"


def _minutes(record: Record) -> str:
    rows = sum(row["seconds"] for row in record.rows)
    seconds = record.trained_on_all["seconds"] + rows
    return f"{seconds / 60:.0f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["add"]:
        add(Path(sys.argv[2]), sys.argv[3])
    else:
        files.write_text(PAGE, put_into(PAGE.read_text(encoding="utf-8")))
