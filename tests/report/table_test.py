"""Runs in one table: its rows, and the three forms of it."""

import csv
import io
import subprocess
import sys

import evaluated
import pytest
from html_page import Page, assert_self_contained
from places import ROOT

from tf_distill.common import UserError
from tf_distill.report.table import compare, describe, to_csv, to_html, to_text

CONFIG = {"dataset": "digits", "model": "lenet", "init": "random", "labels": "soft"}
RESULTS = {
    **CONFIG, "distilled_samples": 10, "steps": 2, "epochs": 3, "seed": 7, "seconds": 600.0,
    "accuracy": {"mean": 0.75, "std": 0.02, "networks": 20},
}  # fmt: skip


def finished(folder, **changed):
    folder.mkdir()
    evaluated.write(folder, config={**CONFIG, **changed}, results={**RESULTS, **changed})
    return folder


@pytest.fixture
def folders(tmp_path):
    plain = finished(tmp_path / "plain")
    accuracy = {"mean": 0.7, "std": 0.0, "networks": 1}
    full = finished(tmp_path / "full <b>", dataset="mnist", seed=8, accuracy=accuracy)
    evaluated.write(full, comparison=evaluated.comparison())
    evaluated.add_original(full)
    return [plain, full]


def test_rows_hold_what_the_files_say(folders):
    plain, full = compare(folders)
    unknown = dict.fromkeys(("ratio", "split", "best_baseline", "best_baseline_mean"))
    assert plain == unknown | {
        "run": str(folders[0]), "dataset": "digits", "network": "lenet", "init": "random",
        "labels": "soft", "samples": 10, "steps": 2, "epochs": 3, "mean": 0.75, "std": 0.02,
        "networks": 20, "seconds": 600.0, "seed": 7,
    }  # fmt: skip
    rows = evaluated.comparison()["rows"]
    best = max((r for r in rows if r["group"] == "baseline"), key=lambda r: r["mean"])
    assert (full["best_baseline"], full["best_baseline_mean"]) == (best["title"], best["mean"])
    assert (full["mean"], full["networks"]) == (0.7, 1)
    assert full["ratio"] == pytest.approx(0.7 / evaluated.ORIGINAL)


def test_text_is_aligned(folders):
    head, row = to_text(compare(folders[:1])).splitlines()  # one run has all of its columns
    assert (head.split()[:3], row[-1]) == (["run", "accuracy,", "%"], "7")
    lines = to_text(compare(folders)).splitlines()
    same = "network lenet, init random, labels soft, samples 10, steps x epochs 2 x 3"
    assert lines.pop() == f"In all: {same}"
    assert len(lines) == 3
    start = lines[0].index("dataset")
    assert [line[start:].split() for line in lines] == [
        ["dataset", "networks", "seed"], ["digits", "20", "7"], ["mnist", "1", "8"],
    ]  # fmt: skip
    assert all(line[start - 2 : start] == "  " for line in lines)
    end = lines[0].index("accuracy, %") + len("accuracy, %")
    assert [line[:end].split("  ")[-1].strip() for line in lines[1:]] == ["75.00 ± 2.00", "70.00"]
    assert "10 min" in lines[1]


def test_settings_that_differ_have_columns_and_the_others_a_line(tmp_path):
    folders = [
        finished(tmp_path / str(lr), inner_lr=lr, outer_steps=5, eval_split=split, run_dir=str(lr))
        for lr, split in ((0.3, "test"), (0.03, "held_out"))
    ]
    rows = compare(folders)
    assert [(row["inner_lr"], row["split"]) for row in rows] == [(0.3, "test"), (0.03, "held_out")]
    assert not {"outer_steps", "run_dir"} & rows[0].keys()
    head, *_, same = to_text(rows).splitlines()
    assert head.split() == ["run", "accuracy,", "%", "time", "inner_lr", "split"]
    assert same.endswith("steps x epochs 2 x 3, networks 20, seed 7")
    page = Page(to_html(rows))
    assert same in page.text
    assert len(page.all("th")) == 5 + 2


def test_runs_that_differ_by_their_seed_alone_have_a_mean(tmp_path):
    def runs(name, *means, **settings):
        names = [name, f"{name}_seed1", f"{name}_seed2"]
        return [
            finished(tmp_path / names[seed], **settings, seed=seed,
                     accuracy={"mean": mean, "std": 0.1, "networks": 20})
            for seed, mean in enumerate(means)
        ]  # fmt: skip

    folders = [
        *runs("toy", 0.7, 0.8, 0.9),
        *runs("other", 0.5, 0.6, inner_lr=0.5),
        *runs("alone", 0.5, inner_lr=0.6),
        *runs("best", 0.5, keep="best", eval_every=1),
        *runs("later", 0.5, 0.5, keep="best", eval_every=2)[1:],
    ]
    rows = compare(folders)
    lines = to_text(rows).splitlines()[len(folders) + 1 :]
    over = "(standard deviation over seeds, n - 1)"
    assert lines[1:] == [
        f"{tmp_path}/toy, 3 seeds (0, 1, 2): accuracy 80.00 ± 10.00 {over}",
        f"{tmp_path}/other, 2 seeds (0, 1): accuracy 55.00 ± 7.07 {over}",
    ]
    assert all(line in Page(to_html(rows)).text for line in lines)
    assert over not in to_csv(rows)


def test_numbers_in_names_are_sorted_by_their_size(tmp_path):
    names = [str(finished(tmp_path / f"size_{n}")) for n in (1, 10, 3)]
    lines = describe(names, None).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == [names[0], names[2], names[1]]


@pytest.mark.parametrize(
    ("name", "write"), [("t.csv", to_csv), ("t.html", to_html), ("t.txt", to_text)]
)
def test_the_ending_of_the_file_says_the_format(folders, tmp_path, name, write):
    rows = compare(folders, tmp_path / name)
    assert (tmp_path / name).read_text(encoding="utf-8") == write(rows)


def test_csv_reads_back_as_the_rows(folders):
    rows = compare(folders)
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]


def test_html_is_self_contained_and_escaped(folders):
    page = Page(to_html(compare(folders)))
    assert_self_contained(page)
    assert "2 runs compared" in page.text
    assert str(folders[1]) in page.text
    assert len(page.all("tr")) == 3
    heads = [cell["data-head"] for cell in page.all("td")]  # beside the cells on a narrow screen
    assert heads[:5] == ["accuracy, %", "ratio, %", "best baseline, %", "time", "dataset"]


def test_folders_without_a_finished_run_are_named_and_left_out(folders, tmp_path, capsys):
    damaged = finished(tmp_path / "damaged")
    (damaged / "results.json").write_text("{")
    rows = compare([tmp_path / "none", *folders, damaged])
    assert [row["run"] for row in rows] == list(map(str, folders))
    none, broken = capsys.readouterr().err.splitlines()
    assert none.startswith(f"left out: {tmp_path}/none holds no finished run")
    assert "damaged" in broken


@pytest.mark.parametrize(
    ("given", "out", "text"),
    [
        ([], None, "none of 0 folders holds a finished run"),
        (["nowhere"], None, "none of 1 folders holds a finished run"),
        (["plain"], "table.pdf", "expected a name that ends in .csv, .html, .txt"),
        (["plain"], "no/where.csv", "can't write"),
    ],
)
def test_mistakes_are_one_line(folders, tmp_path, given, out, text):
    with pytest.raises(UserError) as error:
        compare([tmp_path / name for name in given], out and tmp_path / out)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unfinished_comparison_has_no_best_baseline_yet(folders):
    rows = evaluated.comparison()["rows"]
    unfinished = {"rows": rows[:4], "expected": [row["title"] for row in rows]}
    evaluated.write(folders[1], comparison=unfinished)
    found = compare(folders)
    assert (found[1]["best_baseline"], found[1]["best_baseline_mean"]) == ("unfinished", None)
    assert to_text(found).splitlines()[2].split()[-6:-4] == ["unfinished", "10"]


def test_tensorflow_is_not_loaded(folders):
    code = (
        "import sys; from tf_distill.report import table\n"
        f"table.describe({[str(folder) for folder in folders]!r}, 'table.html')\n"
        "sys.exit(len({'tensorflow', 'keras', 'matplotlib'} & sys.modules.keys()))"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folders[0], env=environment)
