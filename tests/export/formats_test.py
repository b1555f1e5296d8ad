"""The forms that the program writes, read back by the programs that they are for."""

import dataclasses
import importlib
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from made_sets import IMAGE, TEXT, made
from served import program

import tf_distill as td
from tf_distill.common import UserError, cli
from tf_distill.export import formats, load

ARRAY = {"kind": "array", "shape": [6], "mean": [0.0], "std": [1.0]}


@pytest.fixture(params=[IMAGE, TEXT, ARRAY], ids=lambda described: described["kind"])
def source(request, tmp_path):
    """The folder of a set of each kind."""
    text = request.param is TEXT
    vectors = np.arange(9, dtype="f4").reshape(3, 3) if text else None
    weights = [tf.ones((2, 3)), tf.zeros(3)]
    distilled = made(request.param, vectors=vectors, frozen_weights=[tf.constant(3)])
    distilled.metadata["license"] = "CC-BY-SA-3.0 AND MIT"
    distilled = dataclasses.replace(distilled, initial_weights=weights)
    return td.save_distilled(distilled, tmp_path / "source")


def same_samples(one, other):
    return all(map(np.array_equal, one.samples, other.samples))


@pytest.mark.parametrize("form", ["npz", "savedmodel"])
def test_this_package_reads_both_of_its_forms(source, form, tmp_path):
    path = formats.FORMATS[form](source, tmp_path / "new" / "place")
    before, after = load(source), load(path)
    assert same_samples(before, after)
    assert after.metadata["license"] == before.metadata["license"]
    assert [w.shape for w in after.initial_weights] == [(2, 3), (3,)]


def test_torch_reads_tensors(source, tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    found = torch.load(formats.torch(source, tmp_path / "set.pt"))
    before = load(source)
    x = before.samples.x.numpy()
    if before.metadata["input"]["kind"] == "image":
        assert found["x"].is_contiguous()
        assert found["x"].shape == (2, 1, 1, 2, 3)
        x = np.moveaxis(x, -1, 2)
    for one, other in ((found["x"], x), (found["y"], before.samples.y),
                       (found["lr"], before.samples.lr)):  # fmt: skip
        np.testing.assert_array_equal(one, other)
    assert [w.shape for w in found["initial"]] == [(2, 3), (3,)]
    assert found["frozen"][0] == 3
    assert found["card"]["input"].get("vocabulary") == before.metadata["input"].get("vocabulary")
    assert ("vectors" in found) == (before.vectors is not None)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Hugging Face's datasets, which looks for nothing elsewhere."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # not the folder of that name beside this one
    pytest.importorskip("datasets.arrow_dataset", reason="needs Hugging Face: pip install datasets")
    return importlib.import_module("datasets")


def test_hugging_face_loads_the_folder(source, hub, tmp_path):
    folder = formats.huggingface(source, tmp_path / "folder")
    loaded = hub.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    before = load(source)
    x, _ = before.arrays()
    assert loaded.features["label"].names == ["no", "oh/yes"]
    table = loaded.with_format("numpy")
    np.testing.assert_array_equal(table["x"][:], x)
    np.testing.assert_allclose(table["label_distribution"][:], [[0.8, 0.2], [-0.4, 1.4]], rtol=1e-6)
    assert [*table["label"]] == [0, 1]
    assert [*table["step"]] == [0, 1]
    kind = before.metadata["input"]["kind"]
    assert ("image" in loaded.column_names) == (kind == "image")
    if kind == "image":
        pixels = np.clip(255 * (x[1, ..., 0] * 0.25 + 0.5), 0, 255).round()
        np.testing.assert_array_equal(loaded[1]["image"], pixels)
    if kind == "text":
        assert loaded["text"][:] == [" ".join(before.encoding.decode(one)) for one in x]
    assert same_samples(load(folder), before)  # the same folder is a set of this package


def test_a_table_has_the_columns_that_people_wrote(hub, tmp_path):
    colours = ["red", "blue", "grey", "black", "white"]  # with the number, six inputs
    table = {"label": [1.5, 2, 3, 4.25] * 5, "colour": colours * 4, "y": [*"ab"] * 10}
    distilled = made(td.datasets.from_table(table, "y", table).encoding.metadata())
    source = td.save_distilled(distilled, tmp_path / "source")
    folder = formats.huggingface(source, tmp_path / "folder")
    loaded = hub.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    rows = [{name: row[name] for name in ("label", "colour")} for row in distilled.rows()]
    assert loaded["row"][:] == rows
    assert loaded["label"][:] == [0, 1]
    assert 'task_categories: ["tabular-classification"]' in (folder / "README.md").read_text()


def test_the_dataset_card_says_what_the_hub_asks(source, hub, tmp_path):
    folder = formats.huggingface(source, tmp_path / "folder")
    page = (folder / "README.md").read_text()
    head = dict(line.split(": ", 1) for line in page.split("---\n")[1].splitlines())
    card = {name: json.loads(value) for name, value in head.items()}
    assert card["license"] == ["cc-by-sa-3.0", "mit"]
    assert card["task_categories"][0].endswith("-classification")
    assert "| `label_distribution` | the label, a number for each class |" in page
    assert "90.00 ± 1.00 %" in page


@pytest.mark.parametrize("form", ["npz", "huggingface", "torch"])
def test_what_is_there_stays_and_a_failed_export_leaves_nothing(form, tmp_path, monkeypatch):
    pytest.importorskip(
        {"huggingface": "datasets.arrow_dataset"}.get(form, form if form != "npz" else "json")
    )
    source = td.save_distilled(made(), tmp_path / "source")
    (tmp_path / "there").write_text("")
    with pytest.raises(UserError, match="there is there already; name a new one"):
        formats.FORMATS[form](source, tmp_path / "there")
    monkeypatch.setattr("tf_distill.common.files._to_disk", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        formats.FORMATS[form](source, tmp_path / "new" / "place")
    assert [*(tmp_path / "new").iterdir()] == []


@pytest.mark.parametrize(("form", "package"), [("huggingface", "datasets"), ("torch", "torch")])
def test_a_missing_extra_is_told_with_its_command(form, package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"format={form} .* {package}: pip install {package}$"):
        formats.FORMATS[form](tmp_path, tmp_path)


@pytest.fixture
def run(capfd, monkeypatch):
    """Calls the program in this process, as `python -m tf_distill.export ARGUMENTS` would."""
    name = "tf_distill.export.__main__"
    module = importlib.import_module(name)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["export", *arguments])
        capfd.readouterr()
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stop:
            cli.run(module.main, "tf_distill.export", help_text=module.help_text)
        return stop.value.code or 0, *capfd.readouterr()

    yield call
    delattr(flags.FLAGS, "format")  # no flag of other programs
    del sys.modules[name]
    flags.FLAGS.mark_as_parsed()


def test_the_program_prints_where_it_wrote(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    td.save_distilled(made(), tmp_path / "source")
    assert run("--format=npz", "source") == (0, "exports/mine_python_mine_npz\n", "")
    assert (tmp_path / "exports" / "mine_python_mine_npz" / "card.json").is_file()
    assert run("--format=npz", "source", "mine") == (0, "mine\n", "")
    assert "  torch        A file of tensors" in run("--help")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format=npz"], "got 0 arguments, expected SET, or SET and DEST; see --help"),
        (["--format=gif", "a"], "value should be one of <npz|savedmodel|tfds|huggingface|torch|se"),
        (["--format=npz", "none"], "none is no distilled set; expected a folder such as"),
    ],
)
def test_mistakes_are_one_line(run, arguments, told):
    status, _, printed = run(*arguments)
    assert status == 2
    assert told in printed
    assert printed.count("\n") == 1


def test_the_program_answers_without_tensorflow():
    assert "--format is missing, expected <npz|" in program("-m", "tf_distill.export", status=2)
    code = "import sys, tf_distill.export.__main__; assert 'tensorflow' not in sys.modules"
    program("-c", code)
