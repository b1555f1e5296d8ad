"""A set is audited: real examples in it are found, and networks that know them by heart."""

import base64
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import small
import tensorflow as tf
from PIL import Image
from sklearn.metrics import roc_auc_score

import tf_distill as td
from tf_distill.core import Samples
from tf_distill.datasets import hold_out
from tf_distill.evaluation import audit
from tf_distill.export import LoadedSet
from tf_distill.report import record, report
from tf_distill.report.figures import gallery

METADATA = {"dataset": "vectors", "network": "python:small", "seed": 3, "init": "random",
            "classes": ["a", "b", "c"], "input": {"kind": "vector", "shape": [small.FEATURES]},
            "use": "replay", "inner_optimizer": "sgd", "augment": "none"}  # fmt: skip


def network():
    return small.learner().model


def real(data, places, epochs=2, lr=0.1, **more):
    """A set of training examples with their labels, in a single step."""
    x, y = tf.constant(data.x_train[places]), tf.one_hot(data.y_train[places], small.CLASSES)
    samples = Samples(x[None], y[None], tf.fill([epochs], lr))
    return LoadedSet(samples, [], {**METADATA, **more})


def audited(loaded, data, networks=2):
    return audit.audit_set(loaded, data, network, networks)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_planted_training_examples_are_found_and_others_are_not(scale):
    data = small.dataset(train=700)  # more than are searched at a time
    loaded = real(data, [690, 3, 501], sample_scale=scale)
    x = loaded.samples.x.numpy()
    x[0, 1] += 1  # no longer a copy
    x[0, 2] += 1e-4
    found = audited(dataclasses.replace(loaded, samples=loaded.samples._replace(x=scale * x)), data)
    everywhere = np.linalg.norm(x[0, :, None] - data.x_train, axis=2)
    np.testing.assert_array_equal(found.nearest, everywhere.argmin(1))
    np.testing.assert_allclose(found.distances, everywhere.min(1), rtol=1e-4)
    assert found.nearest[[0, 2]].tolist() == [690, 501]
    unseen = np.linalg.norm(data.x_test[:, None] - data.x_train, axis=2).min(1)
    assert found.usual == pytest.approx(np.median(unseen), rel=1e-5)
    assert found.copies == [0, 2]
    assert "\nwarning: 2 of 3 samples as good as training examples, within 10%" in str(found)
    assert "as good as training" not in str(found._replace(distances=found.distances + 1))


def test_the_loss_finds_examples_that_are_known_by_heart():
    data, rng = small.dataset(train=20, test=300), np.random.default_rng(0)
    y_train, y_test = (rng.integers(0, 3, n, np.int32) for n in (20, 300))
    noise = dataclasses.replace(data, y_train=y_train, y_test=y_test)
    knows = audited(real(noise, np.arange(20), epochs=2000, lr=0.5), noise).attack
    assert (knows.members, knows.others, knows.networks) == (20, 300, 2)
    assert knows.auc > 0.8
    assert knows.low > 0.6
    assert "warning: the loss is lower" in str(audit.Audit(np.zeros(1), np.ones(1), 1.0, knows))
    new = audited(real(noise, [0], epochs=1), noise).attack
    assert new.low < 0.5 < new.high


def test_held_out_examples_are_no_members():
    data = small.dataset(train=100)
    less = hold_out(data, METADATA["seed"])
    least = hold_out(less, METADATA["seed"])
    best, tested = {"keep": "best"}, {"eval_split": "held_out"}
    for more, members, others in (
        ({}, data, data),
        (best, less, data),
        (tested, less, less),
        (best | tested, least, less),
    ):
        found = audit.learned_from(real(data, [0], **more), data)
        np.testing.assert_array_equal(found.x_train, members.x_train)
        np.testing.assert_array_equal(found.y_train, members.y_train)
        np.testing.assert_array_equal(found.x_test, others.x_test)


def test_the_area_is_that_of_the_curve_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    members, others = rng.normal(0.5, 1, 200).round(1), rng.normal(0, 1, 300).round(1)
    area, low, high = audit.auc(members, others)
    truth = np.repeat([1, 0], [200, 300])
    assert area == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    draws = [audit.auc(rng.choice(members, 200), rng.choice(others, 300))[0] for _ in range(400)]
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(draws), rel=0.15)
    assert audit.auc(np.ones(5), np.zeros(5)) == (1, 1, 1)


def test_a_run_gets_audit_json_and_pictures_side_by_side(cli, image_run, tmp_path):
    folder = shutil.copytree(image_run, tmp_path / "run")
    found = cli("--mode=audit", str(folder), "--eval_networks=1")
    assert found.status == 0
    written = json.loads((folder / "audit.json").read_text())
    assert found.out.splitlines() == [
        *written["lines"],
        f"{folder / 'report.html'} shows it, with real training examples",
    ]
    data = td.datasets.DATASETS["digits"].load(None, None)
    nearest = {pair["sample"]: written["nearest"][pair["sample"]] for pair in written["shown"]}
    assert len(nearest) == 10
    for pair in written["shown"]:
        picture = Image.open(io.BytesIO(base64.b64decode(pair["picture"])))
        np.testing.assert_array_equal(picture, data.x_train[nearest[pair["sample"]]][..., 0])
    record_ = record.read(folder)
    [plate] = [plate for plate in gallery.plates(record_) if plate.name == "nearest"]
    shown = [axis for axis in plate.draw(record_).axes if axis.images]
    assert [bool(axis.texts) for axis in shown] == [False] * 10 + [True] * 10
    ratio = min(written["distances"]) / written["usual"]
    assert shown[10].texts[0].get_text().startswith(f"{ratio:.2f}, ")
    assert "needs a set; give the folder of one: --mode=audit" in cli("--mode=audit").err


def test_texts_stand_beside_the_nearest_sentence(text_run, tmp_path):
    folder = shutil.copytree(text_run, tmp_path / "run")
    data = td.datasets.DATASETS["toy_questions"].load(None, None)
    other = dataclasses.replace(data, x_train=data.x_train[:, ::-1])  # its numbers do not count
    found = td.audit(folder, other, networks=1)
    x = td.load_distilled(folder).arrays()[0]
    distances = np.linalg.norm(x[:, None] - data.encoding(data.x_train), axis=(2, 3))
    np.testing.assert_array_equal(found.nearest, distances.argmin(1))
    for pair in json.loads((folder / "audit.json").read_text())["shown"]:
        assert pair["text"] == data.raw_train[found.nearest[pair["sample"]]].decode()
        assert pair["words"] == " ".join(data.encoding.decode(x[pair["sample"]]))


def test_a_report_has_a_table_of_texts(text_run, tmp_path):
    folder = shutil.copytree(text_run, tmp_path / "run")
    shown = [{"sample": 0, "class": "place", "words": "where <b>", "text": "Where is it?"}]
    written = {"lines": ["warning: told"], "usual": 2.0, "distances": [1.0], "shown": shown}
    (folder / "audit.json").write_text(json.dumps(written))
    page = report.write(folder).read_text(encoding="utf-8")
    assert '<p class="notice">warning: told</p>' in page
    assert "where &lt;b&gt;" in page
    assert "Where is it?" in page
