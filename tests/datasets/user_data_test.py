"""Own data by name, from the command line to a servable, and every mistake in one line."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pictures import fill

import tf_distill as td
from tf_distill import main
from tf_distill.datasets import Column, load, user_data
from tf_distill.runs import run

TEXTS = {"billing": "the invoice {} is wrong", "refund": "I want my money back for {}",
         "shipping": "where is the parcel {}"}  # fmt: skip
THINGS = ["lamp", "shoes", "order", "book", "card", "phone", "table"]
TINY = ("--outer_steps=2", "--unroll=2", "--epochs=1", "--eval_every=2", "--eval_networks=2")


def table(path, things=THINGS, extra=""):
    rows = [f"{text.format(thing)},{label}\n" for thing in things for label, text in TEXTS.items()]
    path.write_text("text,label\n" + "".join(rows) + extra)
    return path


def archive(path):
    y = np.arange(40) % 2
    noise = np.random.default_rng(0).integers(0, 128, (40, 12, 12))
    np.savez(path, x_train=(noise + 100 * y[:, None, None]).astype(np.uint8), y_train=y)
    return path


@pytest.mark.long
def test_a_table_becomes_a_servable_in_one_command(cli, tmp_path):
    train, test = table(tmp_path / "train.csv"), table(tmp_path / "test.csv", THINGS[:2])
    folder = tmp_path / "run"
    arguments = (f"--dataset=csv:{train}", f"--test_data={test}", "--embeddings=train",
                 f"--run_dir={folder}", *TINY)  # fmt: skip
    outcome = cli(*arguments)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.count("use=training, the default for own data: the set serves any ord") == 1
    for text in ("21 texts in column 'text', labels in column 'label'; 3 classes: billing 7, ",
                 "made of the training texts"):  # fmt: skip
        assert outcome.out.count(text) == 1
    served = tf.saved_model.load(str(folder / "model" / "1"))
    answer = served.signatures["serving_default"](text=tf.constant(["where is my parcel ?"]))
    assert answer["label"].numpy()[0].decode() in TEXTS
    assert answer["probabilities"].shape == (1, 3)
    report = (folder / "report.html").read_text()
    assert "Training examples of 3 classes: billing 7, refund 7, shipping 7." in report
    command = f"--dataset=csv:{train} --model=textconvnet --epochs=1 --outer_steps=2"
    command += " --eval_networks=2 --eval_every=2 --unroll=2 --window=2"
    command += f" --test_data={test} --embeddings=train"
    command = f"python -m tf_distill.main {command}"
    assert command.replace(" ", "</span> <span>") in report
    config = json.loads((folder / "config.json").read_text())
    assert (config["dataset"], config["samples_per_step"]) == (f"csv:{train}", 8)

    # Changed data are noticed.
    assert "is finished" in cli(*arguments).out
    for changed, told in {
        tuple(THINGS[:3]): "they were 21 + 6 examples of 3 classes, now 21 + 9 examples",
        tuple(THINGS[1:3]): "other data (as many examples, but others); ",
    }.items():
        table(test, changed)
        outcome = cli(*arguments)
        assert (outcome.status, outcome.err.count("\n")) == (2, 1)
        assert told in outcome.err

    # A report needs only the run's folder.
    train.unlink()
    (folder / "report.html").unlink()
    assert cli("--mode=report", f"--run_dir={folder}").status == 0
    assert (folder / "report.html").read_text() == report


def test_a_table_of_numbers_becomes_a_servable_in_one_command(cli, tmp_path):
    path, folder = tmp_path / "fruit.csv", tmp_path / "run"
    fruit = [(f"{5 + i % 3}.{i}", ("red", "", "green")[i % 3], "pear" if i % 2 else "fig")
             for i in range(9)] * 4  # fmt: skip
    path.write_text("size (cm),colour,kind\n" + "".join(f"{s},{c},{k}\n" for s, c, k in fruit))
    outcome = cli(f"--dataset=table:{path}", "--label_column=kind", f"--run_dir={folder}", *TINY)
    assert (outcome.status, outcome.err) == (0, "")
    assert "categories: 'colour' (" in outcome.out
    served = tf.saved_model.load(str(folder / "model" / "1")).signatures
    size, colour = [5.5, np.nan, 6.25], ["green", "NA", "no such"]
    raw = {"size_cm": tf.constant(size, tf.float64), "colour": tf.constant(colour)}
    answer = served["serving_default"](**raw)
    assert set(answer["label"].numpy()) <= {b"fig", b"pear"}
    examples = [{"size_cm": [5.5], "colour": [b"green"]}, {}, {"size_cm": [6.25], "colour": [b"?"]}]
    scores = served["classify"](tf.constant([example(**row) for row in examples]))["scores"]
    np.testing.assert_allclose(scores[:2], answer["probabilities"][:2], rtol=1e-6)
    loaded = td.load_distilled(folder)
    assert loaded.encoding.columns[0]._replace(std=1) == Column(
        "size (cm)", "number", fill=6.4, mean=loaded.encoding.columns[0].mean, decimals=1
    )
    lines = (folder / "set" / "1" / "samples" / "rows.csv").read_text().splitlines()
    assert lines[0] == "size (cm),colour,label fig,label pear"
    assert len(lines) == 1 + len(loaded.rows()) == 21
    assert cli("--mode=verify", str(folder), "--eval_networks=2").status == 0
    assert '<th scope="col" class="number">size (cm)</th>' in (folder / "report.html").read_text()


def example(**values):
    """A serialized tf.Example."""
    lists = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=some))
        if isinstance(some[0], bytes)
        else tf.train.Feature(float_list=tf.train.FloatList(value=some))
        for name, some in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


def test_defaults_follow_the_data(tmp_path):
    config = run.configure({"dataset": f"npz:{archive(tmp_path / 'a.npz')}", "image_size": "14x16"})
    assert (config.model, config.samples_per_step) == ("lenet", 5)
    dataset = load(dataclasses.asdict(config))
    assert (dataset.name, dataset.x_train.shape) == ("a", (32, 14, 16, 1))
    fill(tmp_path / "pets", mode="RGB")
    config = run.configure({"dataset": f"folder:{tmp_path}/pets"})
    assert (config.model, config.samples_per_step) == ("convnet-16", 5)
    assert config.run_dir == str(Path("runs", "pets_convnet-16"))
    config = run.configure({"dataset": f"csv:{table(tmp_path / 'a b.csv')}", "image_size": None})
    assert (config.model, config.samples_per_step) == ("textconvnet", 6)
    assert config.run_dir == str(Path("runs", "a_b_textconvnet"))


def test_a_file_or_folder_is_read_once_and_again_when_it_changes(tmp_path, capsys):
    def examples(name, **given):
        settings = dataclasses.asdict(run.configure({"dataset": name, **given}))
        data = load(settings)
        assert load(settings) is data
        return len(data.y_train) + len(data.y_test)

    path = table(tmp_path / "t.csv")
    assert examples(f"csv:{path}", embeddings="train") == 21
    assert capsys.readouterr().out.count("21 texts") == 1
    table(path, THINGS[:-1])
    assert examples(f"csv:{path}", embeddings="train") == 18
    fill(tmp_path / "pets", each=3)
    assert examples(f"folder:{tmp_path}/pets", image_size="12") == 6
    image = next((tmp_path / "pets").rglob("*.png"))
    shutil.copy2(image, image.with_stem("copy"))
    assert examples(f"folder:{tmp_path}/pets", image_size="12") == 7


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    table(tmp_path / "train.csv")
    assert run.configure({"dataset": "csv:~/train.csv"}).samples_per_step == 6
    values = dict.fromkeys(h.name for group in main._SETTINGS.values() for h in group)
    told = main._told(values | {"embeddings": "~/v.txt", "text_column": "~"})
    assert told == values | {"embeddings": f"{tmp_path}/v.txt", "text_column": "~"}


MISTAKES = [
    (["--dataset=cvs:t.csv"], ["unknown kind of data 'cvs'; did you mean csv?", "folder"]),
    (["--dataset=csv:"], ["--dataset=csv: names no data", "csv:FILE"]),
    (["--dataset=t.csv"], ["use --dataset=csv:t.csv"]),
    (["--dataset=pets"], ["use --dataset=folder:pets"]),
    (["--dataset=a.npz"], ["use --dataset=npz:a.npz"]),
    (["--dataset=csv:none.csv"], ["can't read none.csv: No such file"]),
    (["--dataset=csv:t.csv", "--test_data=none.csv"], ["can't read none.csv"]),
    (["--dataset=csv:t.csv", "--text_column=body"], ["no column 'body'", "'text', 'label'"]),
    (["--dataset=csv:t.csv", "--test_data=cow.csv"], ["cow.csv: class 'cow' does not occur"]),
    (["--dataset=csv:one.csv"], ["one.csv: class 'cow' has one example"]),
    (["--dataset=csv:t.csv", "--image_size=28"], ["--image_size is not for --dataset=csv:t.csv"]),
    (["--embeddings=train"], ["--embeddings=train is not for --dataset=digits, expected texts"]),
    (["--text_column=text"], ["--text_column is not for --dataset=digits"]),
    (["--dataset=numbers.csv"], ["use --dataset=csv:numbers.csv"]),
    (["--dataset=csv:numbers.csv"], ["use --dataset=table:FILE"]),
    (["--dataset=table:numbers.csv"], ["has the labels; name it with --label_column", "'b', 'c'"]),
    (["--dataset=table:numbers.csv", "--label_column=d"], ["numbers.csv has no column 'd'"]),
    (["--dataset=table:numbers.csv", "--label_column=c", "--model=lenet"],
     ["--model=lenet takes images, but", "linear, mlp, resnet_mlp"]),
    (["--dataset=table:none.csv"], ["can't read none.csv"]),
    (["--dataset=table:a.npz"], ["a.npz has an unknown ending, expected one of .csv", ".parquet"]),
    (["--dataset=table:numbers.csv", "--text_column=a"], ["--text_column is not for --dataset=ta"]),
    (["--dataset=folder:pets", "--image_size=28px"], ["--image_size=28px is no size"]),
    (["--dataset=folder:pets", "--image_size=4"], ["image_size is 4x4, expected at least 12"]),
    (["--dataset=folder:pets", "--model=bilstm"], ["--model=bilstm takes texts", "lenet"]),
    (["--dataset=npz:none.npz"], ["can't read none.npz (No such file"]),
    (["--dataset=tfds:no_such_dataset"], ["tensorflow-datasets has no 'no_such_dataset'"]),
    (["--dataset=tfds:fashion_mnist"], ["is not in data", "download_and_prepare", "--data_dir"]),
    (["--dataset=csv:t.csv"], ["there is no file data/glove", "--embeddings=train"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "texts"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line_and_nothing_is_written(cli, tmp_path, monkeypatch, arguments, texts):
    monkeypatch.chdir(tmp_path)
    table(Path("t.csv"))
    Path("numbers.csv").write_text("a,b,c\n" + "1.5,2,0\n2.5,1,1\n" * 3)
    table(Path("one.csv"), extra="moo,cow\n")
    table(Path("cow.csv"), extra="moo,cow\nmoo moo,cow\n")
    archive(Path("a.npz"))
    fill(Path("pets"), each=3)
    before = sorted(tmp_path.rglob("*"))
    outcome = cli("--data_dir=data", *arguments)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    for text in ("tf_distill: error: ", *texts):
        assert text in outcome.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [("csv", "a/train.csv.gz", "train"), ("folder", "my pets/", "my_pets"),
     ("tfds", "glue/sst2", "glue_sst2"), ("npz", "/x/f-m.npz", "f-m")],
)  # fmt: skip
def test_short_names(kind, place, name):
    assert user_data.short_name(kind, place) == name
