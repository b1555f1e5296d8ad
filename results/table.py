"""Puts what was measured into the README, docs/results.md and the flag files' headers.

python results/table.py              # all of them, from the JSON files beside this program
python results/table.py add RUN_DIR  # keeps the results.json of a run, as its folder is named

A file is the results.json of one run and seed; the command follows from its settings.
"""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import cells
import page

from tf_distill import config
from tf_distill.common import UserError, brief, cli, files, percent, spread, startup, unknown_name
from tf_distill.report import Record, distillation_ratio, record

with startup.quiet():
    from tf_distill.datasets import DATASETS
    from tf_distill.networks import NETWORKS

HERE = Path(__file__).parent
README, PAGE = HERE.parent / "README.md", HERE.parent / "docs" / "results.md"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->"
TRAINED_BEGIN, TRAINED_END = "<!-- training -->\n", "<!-- end of training -->"
ORIGINALS_BEGIN, ORIGINALS_END = "<!-- originals -->\n", "<!-- end of originals -->"
SHOWN = (
    "digits_lenet",
    "mnist_lenet_fixed",
    "mnist_lenet_training",
    "cifar10_alexcifarnet_fixed_100",
    "trec6_bilstm_fixed",
    "imdb_textconvnet_fixed",
    "sst5_birnn_fixed",
)
"""The rows of the README; docs/results.md has all."""
ORIGINALS = {
    ("mnist", "lenet"): "99",
    ("cifar10", "alexcifarnet"): "80",
    ("imdb", "textconvnet"): "87.1",
    ("sst5", "birnn"): "41.0",
    ("sst5", "textconvnet"): "",
    ("trec6", "bilstm"): "89.4",
    ("trec6", "textconvnet"): "",
    ("trec50", "textconvnet"): "84.4",
}
"""The paper's original accuracies, of Sections 4.2 and 4.3, in percent."""
NAMES = {
    "mnist": "MNIST", "cifar10": "CIFAR-10", "imdb": "IMDB", "sst5": "SST-5", "trec6": "TREC-6",
    "trec50": "TREC-50", "lenet": "LeNet", "alexcifarnet": "AlexCifarNet", "convnet": "ConvNet",
    "birnn": "Bi-RNN",
    "textconvnet": "text CNN", "bilstm": "Bi-LSTM",
}  # fmt: skip


def add(run_dir: Path) -> None:
    """Keeps the results of a finished run under the name of its folder, less `_seed<n>`.

    Raises:
        UserError: no finished run, no experiment of that name, or other settings than its.
    """
    found = record.read_numbers(run_dir).results
    name = run_dir.resolve().name.rsplit("_seed", 1)[0]
    if changed := difference(name, found):
        raise UserError(
            f"{run_dir} is another experiment than {name}: {'; '.join(changed)}; run that one, or "
            "change its flag file"
        )
    files.write_json(HERE / f"{name}_seed{found['seed']}.json", found)


def difference(name: str, found: dict[str, Any]) -> list[str]:
    """The deciding settings in which results differ from the experiment, in words.

    The seed is free, and how often the set was evaluated on the way.

    Raises:
        UserError: there is no experiment of that name.
    """
    known = {cell.name for cell in cells.every()}
    if name not in {*known, *SHOWN}:
        raise unknown_name("experiment", name, {*known, *SHOWN})
    given = (
        cells.settings(name)
        if name in known
        else dict(zip(("dataset", "model"), name.split("_"), strict=True))
    )
    free = {key: found[key] for key in ("seed", "eval_every")}
    given = {key: value for key, value in given.items() if key not in config.PLACES}
    wanted = config.resolve(given, DATASETS, NETWORKS)
    return dataclasses.replace(wanted, **free).difference(found)


def command(results: dict) -> str:
    """The shortest command that gives this result."""
    idle = {"checkpoint_minutes"}
    if results.get("keep", "last") == "last":  # then it changes nothing either
        idle.add("eval_every")
    settings = {name: value for name, value in results.items() if name not in idle}
    return config.shortest_command(settings, DATASETS, NETWORKS)


def readme_table() -> str:
    """The README's rows, as far as they are measured."""
    rows = [["command", "distilled samples", "accuracy, %", "paper", "minutes"], ["---"] * 5]
    experiments = {cell.name: cell for cell in cells.every()}
    for name in SHOWN:
        if found := cells.results(name):
            cell, commands = experiments.get(name), [command(found[0])]
            if cell:
                commands.append(f"python -m tf_distill.main --flagfile=flags/{name}.flags")
            samples = str(found[0]["distilled_samples"])
            paper = _paper(cell) if cell and "Paper" in cell.head else ""
            shortest = min(commands, key=len)
            rows.append([f"`{shortest}`", samples, _measured(found), paper, _minutes(found)])
    return "".join(map(page.line, rows))


def page_table() -> str:
    """All experiments of the paper."""
    heads = ["experiment", "size", "ours, %", "paper, %", "ratio, %", "minutes", "peak, MB"]
    lines = [[*heads, "flag file"], ["---"] * 8, *map(_row, cells.cells())]
    return "".join(map(page.line, lines))


def _row(cell: cells.Cell) -> list[str]:
    dataset, network, init, *rest = cell.name.split("_")
    words = [NAMES[dataset], NAMES[network], init, "hard labels" if "hard" in rest else ""]
    measured = [cells.NOT_YET, _paper(cell), "", "", ""]
    if found := cell.results:
        memory, ratio = str(found[0].get("peak_memory_mb", "")), _ratio(found)
        measured = [_measured(found), _paper(cell), ratio, _minutes(found), memory]
    size = cell.title.rsplit(", ", 1)[1]
    link = f"[{cell.name}](../flags/{cell.name}.flags)"
    return [", ".join(filter(None, words)), size, *measured, link]


def trained_table() -> str:
    """The sets for ordinary training."""
    heads = ["set", "accuracy, %", "beside it, %", "trained by", "minutes", "flag file"]
    lines = [heads, ["---"] * 6]
    for cell in cells.trained():
        measured = [cells.NOT_YET, cell.head["Beside"], "", ""]
        if found := cell.results:
            measured[0], measured[2:] = _measured(found), [found[0]["recipe"], _minutes(found)]
        lines.append([cell.title, *measured, f"[{cell.name}](../flags/{cell.name}.flags)"])
    return "".join(map(page.line, lines))


def originals_table() -> str:
    """Networks trained on all of the training data."""
    lines = [["network", "ours, %", "paper, %", "command"], ["---"] * 4]
    for (dataset, network), paper in ORIGINALS.items():
        found = _originals().get((dataset, network))
        ours = _shown(*cells.over_seeds(found)) if found else cells.NOT_YET
        flags = f"--mode=original --dataset={dataset} --model={network}"
        names = f"{NAMES[dataset]}, {NAMES[network]}"
        lines.append([names, ours, paper, f"`python -m tf_distill.main {flags}`"])
    return "".join(map(page.line, lines))


@functools.cache
def _originals() -> dict[tuple[str, str], dict[int, float]]:
    """The original accuracies of a dataset and a network by seed.

    First those that --mode=original kept without a run; for the rest those in the kept results,
    some of which come from an earlier way of training.
    """
    known: dict[tuple[str, str], dict[int, float]] = {}
    for path in (HERE / "originals").glob("*.json"):
        alone = files.read_json(path)
        by_seed = known.setdefault((alone["key"]["dataset"], alone["key"]["network"]), {})
        by_seed[alone["key"]["seed"]] = alone["accuracy"]
    of_runs: dict[tuple[str, str], dict[int, float]] = {}
    for found in (found for cell in cells.cells() for found in cell.results):
        if original := Record(HERE, {}, found).original:
            by_seed = of_runs.setdefault((found["dataset"], found["model"]), {})
            by_seed[found["seed"]] = original
    return of_runs | known


def _ratio(found: list[dict]) -> str:
    original = _originals().get((found[0]["dataset"], found[0]["model"]))
    if not original:
        return ""
    mean, _, _ = cells.over_seeds(original)
    return percent(distillation_ratio(cells.summarize(found).accuracy, mean), 1)


def _paper(cell: cells.Cell) -> str:
    mean, deviation = cell.paper
    return spread(mean, deviation or 0, 1 if deviation is None else 200)


def _measured(found: list[dict]) -> str:
    summary = cells.summarize(found)
    return _shown(summary.accuracy, summary.spread, summary.over)


def _shown(accuracy: float, spread: float | None, over: str) -> str:
    deviation = "" if spread is None else f" ± {percent(spread)}"
    return f"{percent(accuracy)}{deviation} ({over})"


def _minutes(found: list[dict]) -> str:
    device = cells.device(found).split(" ")[0]
    return f"{cells.summarize(found).seconds / 60:.0f}{device and f' ({device})'}"


def pages() -> dict[Path, str]:
    """The new content of every file that shows results."""
    made = {
        path: page.put_between(path.read_text(encoding="utf-8"), BEGIN, END, table)
        for path, table in ((README, readme_table()), (PAGE, page_table()))
    }
    made[PAGE] = page.put_between(made[PAGE], TRAINED_BEGIN, TRAINED_END, trained_table())
    made[PAGE] = page.put_between(made[PAGE], ORIGINALS_BEGIN, ORIGINALS_END, originals_table())
    for cell in cells.every():
        path = cells.FLAGS / f"{cell.name}.flags"
        made[path] = cells.headed(path.read_text(encoding="utf-8"), cell.results)
    return made


def main(argv: list[str]) -> None:
    """Adds the named runs, and writes the tables anew."""
    _, *words = argv
    if words and (words[0] != "add" or len(words) == 1):
        raise UserError(
            f"got {brief(' '.join(words))}, expected nothing, or add RUN_DIR; see --help"
        )
    for folder in words[1:]:
        add(Path(folder))
    for path, content in pages().items():
        files.write_text(path, content)


if __name__ == "__main__":
    cli.run(main, "table")
