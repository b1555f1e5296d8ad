"""Every block of Python and every command of README.md and docs/ works; the tour is a notebook too.

The blocks of a page run in order in one namespace. All pages share a folder with the files that
they name: a short run in runs/digits_lenet, tables, pictures/ and Debian's Fashion-MNIST.
"""

import gzip
import importlib
import json
import re
import shutil
from types import SimpleNamespace

import matplotlib
import numpy as np
import page_code
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image
from places import ROOT

import tf_distill as td
from tf_distill import core, jobs, main, modes
from tf_distill.common import UserError, cli
from tf_distill.evaluation import audit, bench, comparison, ranking, sweep, verification
from tf_distill.report import record, report, table

PATHS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in PATHS}
GUIDE = PAGES["guide.md"]
TESTED_ELSEWHERE = ("neighbours.md",)  # iris_test
WITH_CODE = [
    name for name, page in PAGES.items() if page_code.blocks(page) and name not in TESTED_ELSEWHERE
]
COMMANDS = {
    " ".join(c): (name, c) for name, page in PAGES.items() for c in page_code.commands(page)
}


def parsed(arguments):
    """The exit status of the program with these arguments."""
    with flagsaver.flagsaver():
        status = main.main(cli._parse(["main", *arguments]))
    flags.FLAGS.mark_as_parsed()
    return status


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, image_run):
    """A folder in which one can follow the pages."""
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("digits_lenet", "digits_random"):
        shutil.copytree(image_run, folder / "runs" / name)
    (folder / "runs" / "own").mkdir()
    for name in ("train.csv", "questions.csv", "million.csv", "runs/own/man.csv",
                 "runs/own/packages.csv", "runs/own/docstrings.csv"):  # fmt: skip
        (folder / name).write_text("text,label\n" + "a fine film,good\na dull film,bad\n" * 9)
    for name, target in {"penguins": "species", "wine": "target"}.items():
        (folder / f"{name}.csv").write_text(f"size,{target}\n" + "1.5,a\n2.5,b\n" * 9)
    (folder / "diabetes.csv").write_text("bmi,target\n" + "20.5,80\n31.5,201\n25.5,99\n" * 9)
    arrays = {
        f"{x}_{split}": value
        for split in ("train", "test")
        for x, value in {"x": np.zeros((4, 28, 28), np.uint8), "y": np.arange(4) % 2}.items()
    }
    np.savez(folder / "fashion_mnist.npz", **arrays)  # until the page has made it
    for name in ("a", "b"):
        (folder / "pictures" / name).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(np.full((14, 14), 40 * i, np.uint8)).save(
                folder / "pictures" / name / f"{i}.png"
            )
    (folder / "runs" / "own" / "icons").symlink_to(folder / "pictures")
    (folder / "flags").symlink_to(ROOT / "flags")
    fashion = folder / "fashion-mnist"
    fashion.mkdir()
    for split in ("train", "t10k"):
        pixels, labels = bytes(16) + bytes(20 * 784), bytes(8) + bytes([*range(10)] * 2)
        (fashion / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
        (fashion / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    return folder


@pytest.fixture(scope="module")
def distill_once():
    """`td.distill`, which does the same work only once: README.md and the guide begin alike."""
    distill, done = td.distill, {}

    def once(data, model=None, **settings):
        key = (data.name, data.x_train.shape, model, *sorted(settings.items()))
        if key not in done:
            done[key] = distill(data, model, **settings)
        return done[key]

    return once


@pytest.fixture
def there(workplace, monkeypatch):
    """Works in that folder, without a screen to draw on."""
    monkeypatch.chdir(workplace)
    matplotlib.use("agg")
    return workplace


def follow(blocks, read):
    """Runs blocks in one namespace; `read` gives what was printed since it was last called."""
    namespace = {"__name__": "page"}
    for block in blocks:
        read()
        exec(compile(block.code, "page", "exec"), namespace)
        if block.output is not None:
            assert uncounted(read()).endswith(uncounted(block.output))


def uncounted(text):
    """Text without the numbers that Keras counts models and layers by."""
    return re.sub(r"_\d+\b", "", text)


def printed(capsys):
    return lambda: capsys.readouterr().out


# Commands


def test_the_first_command_is_the_default_and_a_run_has_what_the_readme_says(there):
    assert page_code.commands(PAGES["README.md"])[0] == []
    for name in ("report.html", "distilled/1", "model/1"):
        assert (there / "runs" / "digits_lenet" / name).exists()


@pytest.mark.parametrize(
    "name",
    # comparison_test has an inner optimizer of one's own too
    [
        pytest.param(n, marks=[pytest.mark.long] * (n in ("design.md", "guide.md")))
        for n in WITH_CODE
    ],
)
def test_the_blocks_of_a_page_run(there, capsys, monkeypatch, distill_once, name):
    monkeypatch.setattr(td, "distill", distill_once)
    rows_of = comparison.rows_of  # all rows take minutes
    shown = lambda subject: [r for r in rows_of(subject) if f"\n{r.title}  " in GUIDE]  # noqa: E731
    monkeypatch.setattr(comparison, "rows_of", shown)
    monkeypatch.setattr(bench, "LEARNING_STEPS", 1)  # of each baseline's learning rates
    assert page_code.stale(PAGES[name]) == []
    follow(page_code.blocks(PAGES[name]), printed(capsys))


@pytest.fixture
def nothing_done(monkeypatch):
    """The program parses and checks, but does no work; a list of the work that was asked for."""
    asked = []

    def note(*arguments, **_):
        asked.append(arguments)

    def named_run(config, *_):
        asked.append(config)
        files = SimpleNamespace(path=config.run_dir, read=lambda name: {"there": True})
        return SimpleNamespace(
            config=config, files=files, dataset=SimpleNamespace(y_test=[], target=None)
        )

    found = {"accuracy": 0.0, "epochs": 0, "seconds": 0.0}
    finished = SimpleNamespace(results={}, distilled=SimpleNamespace(samples=None))
    monkeypatch.setattr(modes, "named_run", named_run)
    monkeypatch.setattr(modes, "original_of", lambda run: found)
    monkeypatch.setattr(record, "read", lambda folder: SimpleNamespace(ratio=None))
    for function in ("carry_out", "finished_run"):
        monkeypatch.setattr(modes, function, lambda run: finished)
    measured = lambda *given, **_: note(*given) or SimpleNamespace(holds=True)  # noqa: E731
    monkeypatch.setattr(verification, "verify_set", measured)
    for module, function in (
        (modes, "describe_estimate"),
        (audit, "audit_set"),
        (audit, "keep"),
        (comparison, "compare"),
        (ranking, "complete_ranking"),
        (ranking, "describe"),
        (sweep, "sweep"),
        (sweep, "describe"),
        (report, "write"),
        (table, "describe"),
        (jobs, "run_each"),
        (modes, "describe_results"),
        (core, "start_distribution"),
    ):
        monkeypatch.setattr(module, function, note)
    return asked


def work_of(arguments):
    """Calls the program; False if a dataset of tensorflow-datasets is known but missing."""
    try:
        parsed(arguments)
    except UserError as error:
        absent = any(a.startswith("--dataset=tfds:") for a in arguments)
        if not absent or "download_and_prepare" not in str(error):
            raise
        return False
    finally:
        flags.FLAGS.mark_as_parsed()
    return True


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "no flags")
def test_a_command_is_one(there, nothing_done, command):
    assert not work_of(COMMANDS[command][1]) or nothing_done


@pytest.mark.parametrize(
    "wrong",
    ["--dataste=digits", "--model=lenett", "--mode=baseline", "--dataset=csv:nowhere.csv",
     "--mode=sweep --sizes=a", "--mode=baselines --run_dir=runs/nowhere", "distill"],
)  # fmt: skip
def test_a_wrong_command_is_found(there, nothing_done, wrong):
    [command] = page_code.commands(f"```bash\n{page_code.PROGRAM} {wrong}\n```\n")
    with pytest.raises(UserError):
        work_of(command)


@pytest.mark.parametrize("name", PAGES)
def test_other_programs_are_there(name):
    for path, *arguments in page_code.programs(PAGES[name]):
        code = (ROOT / path).read_text(encoding="utf-8")
        names = [a.split("=")[0].removeprefix("--") for a in arguments if a.startswith("--")]
        assert [n for n in names if not re.search(f'"(--)?{n}"', code)] == []


# How the tests read a page


def test_commands_are_read_wherever_they_stand():
    page = f"`{page_code.PROGRAM} --a=1` | x\n    {page_code.PROGRAM} --b \\\n  'c d'  # why\n"
    assert page_code.commands(page) == [["--a=1"], ["--b", "c d"]]
    assert len(COMMANDS) >= 20
    assert {"", "--mode=compare --out=runs.html runs/*"} <= COMMANDS.keys()


def test_a_wrong_block_and_a_wrong_output_are_found(capsys):
    page = "```python\nprint({})\n```\n\n<!-- output -->\n```text\n2\n```\n"
    follow(page_code.blocks(page.format("1 + 1")), printed(capsys))
    with pytest.raises(AssertionError):
        follow(page_code.blocks(page.format("3")), printed(capsys))
    with pytest.raises(NameError):
        follow(page_code.blocks(page.format("unknown")), printed(capsys))


def test_a_note_that_replaces_nothing_is_found():
    page = "<!-- tests: n=1000 -> n=2 -->\n```python\nf(n={})\n```\n"
    assert page_code.blocks(page.format(1000))[0].code == "f(n=2)\n"
    assert page_code.stale(page.format(1000)) == []
    assert page_code.stale(page.format(500)) == ["n=1000"]


# The guide


def test_links_lead_somewhere():
    for path in PATHS:
        for link in re.findall(r"\]\(([^)]+)\)", PAGES[path.name]):
            if link.startswith("http"):
                continue
            place, _, anchor = link.partition("#")
            target = path.parent / place if place else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(page):
    """The anchors of a page's sections, as links name them."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_numbers_of_the_guide_are_those_of_the_evaluation():
    percents = r"(?<![\d.])\d\d\.\d\d\b"
    results = [json.loads(path.read_text()) for path in (ROOT / "results").glob("*.json")]
    known = {f"{100 * r['accuracy']['mean']:.2f}" for r in results}
    by_their_commands = {"81.17", "76.58", "94.72"}
    known |= {*re.findall(percents, PAGES["evaluation.md"]), *by_their_commands}
    own = r"^## What the defaults reach\n.*?(?=^## )"  # by its own commands
    guide = re.sub(own, "", GUIDE, flags=re.DOTALL | re.MULTILINE)
    assert set(re.findall(percents, guide)) <= known
    rows = re.findall(r"^\| ([\w ]+) \| (\d.*?) \|$", guide, re.MULTILINE)
    assert len(rows) == 6
    for name, value in rows:
        assert f"| {name} | {value} |" in PAGES["evaluation.md"]


def test_the_notebook_is_the_tour_of_the_guide(monkeypatch):
    """And so runs, as its code is that of the guide's first blocks."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    program = importlib.import_module("tour_notebook")
    text = program.NOTEBOOK.read_text(encoding="utf-8")
    assert text == program.notebook(GUIDE), "run python examples/tour_notebook.py"
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    tour = ["".join(cell["source"]) + "\n" for cell in cells]
    assert len(tour) >= 4
    assert tour == [found["code"] for found in page_code.FENCE.finditer(GUIDE)][: len(tour)]
