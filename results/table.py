"""Prints the README's table of results from the JSON files beside this program.

python results/table.py            # prints it
python results/table.py README.md  # puts it in the place of the old one

Each file is the results.json of a run; its command is worked out from its settings.
"""

import json
import re
import sys
from pathlib import Path

from tf_distill import config
from tf_distill.datasets import DATASETS
from tf_distill.models import NETWORKS

HERE = Path(__file__).parent
PAPER = {"mnist_lenet": "96.13", "trec6_bilstm": "87.4"}
HEAD = """\
| command | distilled samples | accuracy, % | paper | minutes |
| --- | --- | --- | --- | --- |
"""


def command(results: dict) -> str:
    """The shortest command that gives these settings."""
    settings = {k: v for k, v in results.items() if k != "eval_every"}  # changes no result
    return config.command(settings, DATASETS, NETWORKS)


def row(path: Path) -> str:
    """The table's line for one file."""
    results = json.loads(path.read_text(encoding="utf-8"))
    accuracy = results["accuracy"]
    value = f"{100 * accuracy['mean']:.2f}"
    if accuracy["networks"] > 1:
        value += f" +- {100 * accuracy['std']:.2f} ({accuracy['networks']} networks)"
    paper = PAPER.get(re.sub(r"_seed\d+$", "", path.stem), "")
    samples, minutes = results["distilled_samples"], results["seconds"] / 60
    return f"| `{command(results)}` | {samples} | {value} | {paper} | {minutes:.0f} |\n"


def table() -> str:
    """The whole table."""
    return HEAD + "".join(row(path) for path in sorted(HERE.glob("*.json")))


def put_into(text: str) -> str:
    """A Markdown text with its table of results replaced."""
    start = text.index(HEAD)
    end = text.index("\n\n", start) + 1
    return text[:start] + table() + text[end:]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        readme = Path(sys.argv[1])
        readme.write_text(put_into(readme.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table(), end="")
