"""Several sets as one: samples, labels, normalisation, and what can't be merged."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.core import Samples
from tf_distill.export import LoadedSet

RNG = np.random.default_rng(0)


def made(classes, steps=2, n=3, mean=0.5, **more):
    """A set for training on images of two pixels."""
    outputs = 1 if len(classes) == 2 else len(classes)
    x = RNG.standard_normal((steps, n, 2, 1, 1)).astype("f4")
    y = RNG.uniform(0, 1, (steps, n, outputs)).astype("f4")
    samples = Samples(x, y, np.full(2 * steps, more.pop("lr", 0.002), "f4"))
    metadata = {"dataset": "+".join(classes), "network": "lenet", "use": "training", "seed": 0,
                "classes": [*classes], "init": "random", "inner_optimizer": "adam",
                "augment": "none", "accuracy": {"mean": 0.9}, "recipe": "Adam",
                "input": {"kind": "image", "shape": (2, 1, 1), "mean": [mean], "std": [0.25]},
                **more}  # fmt: skip
    return LoadedSet(samples, [], metadata)


def pixels(distilled):
    described = distilled.metadata["input"]
    return distilled.arrays()[0] * described["std"][0] + described["mean"][0]


def test_sets_of_the_same_classes_keep_their_labels(tmp_path):
    sets = [made("abc", lr=0.002), made("abc", steps=3, n=4, mean=0.2, lr=0.004)]
    merged = td.merge(sets)
    assert merged.samples.x.shape == (6, 3, 2, 1, 1)  # of 18 samples: nearest to 4
    np.testing.assert_allclose(merged.samples.lr, np.full(12, 0.003), rtol=1e-6)
    y = np.concatenate([one.arrays()[1] for one in sets])
    np.testing.assert_array_equal(merged.arrays()[1], y)
    expected = np.concatenate([pixels(one) for one in sets])
    np.testing.assert_allclose(pixels(merged), expected, atol=1e-6)
    folder = td.save_distilled(merged, tmp_path / "set")
    card = json.loads((folder / "card.json").read_text())
    assert [source["samples"] for source in card["sources"]] == [6, 12]
    assert card["sources"][1]["accuracy"] == {"mean": 0.9}
    assert "accuracy" not in card
    assert "6 samples of a+b+c (a, b, c); 12 samples of" in (folder / "README.md").read_text()
    assert td.load_distilled(folder).recipe.shuffled


@pytest.mark.parametrize(
    ("licences", "merged"),
    [(["MIT", "MIT"], "MIT"), (["MIT", "CC0-1.0"], "CC0-1.0 AND MIT"), (["MIT", None], None)],
)
def test_the_licences_of_all_data_are_kept(licences, merged, tmp_path):
    sets = [made("abc", **({"license": name} if name else {})) for name in licences]
    both = td.merge(sets)
    assert both.metadata.get("license") == merged
    page = (td.save_distilled(both, tmp_path / "set") / "README.md").read_text()
    assert "6 samples of a+b+c (a, b, c; MIT)" in page
    assert (f"| licence of the data | {merged} |" in page) == bool(merged)
    again = td.merge([both, td.load_distilled(tmp_path / "set")])
    assert again.metadata.get("license") == merged


def test_disjoint_classes_stand_side_by_side():
    sets = [made("ab"), made("cde"), made("fg")]
    merged = td.merge(sets)
    assert merged.metadata["classes"] == [*"abcdefg"]
    y = merged.arrays()[1]
    assert y.shape == (18, 7)
    first, second, third = (one.arrays()[1] for one in sets)
    np.testing.assert_allclose(y[:6, :2], np.concatenate([1 - first, first], 1))
    np.testing.assert_array_equal(y[6:12, 2:5], second)
    np.testing.assert_allclose(y[12:, 6:], third)
    assert not y[:6, 2:].any()
    assert not y[12:, :5].any()


def test_training_on_two_halves_knows_all_classes():
    x = np.random.default_rng(0).uniform(0, 30, (40, 12, 12)).astype("u1")
    y = np.arange(40) % 4
    for i, k in enumerate(y):
        x[i, 3 * k : 3 * k + 3] += np.uint8(
            50 + 50 * k
        )  # so that the halves are normalised otherwise
    halves = []
    for some in (y < 2, y > 1):
        data = td.datasets.from_arrays(x[some], y[some], x[some], y[some])
        images, labels = data.encoding(data.x_train)[None], np.float32(data.y_train)[None, :, None]
        samples = Samples(images, labels, np.full(100, 0.01, "f4"))
        half = made([*data.classes], input=data.encoding.metadata())
        halves.append(dataclasses.replace(half, samples=samples))
    merged = td.merge(halves)
    assert merged.metadata["classes"] == ["0", "1", "2", "3"]
    model = merged.train(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)]))
    found = model.predict(merged.encoding(x[..., None]), verbose=0).argmax(1)
    assert np.mean(found == y) > 0.9


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (made("abc"), made("acb"), r"share the classes \['a', 'b', 'c'\].*in the same order"),
        (made("ab"), made("bc"), r"the sets share the classes \['b'\]"),
        (made("ab"), made("cd", use="replay"), r"sets\[1\] is for replay"),
        (made("ab"), made("cd", inner_optimizer="sgd"), "has inner_optimizer=sgd, but .* has adam"),
        (made("ab"), made("cd", augment="shift"), "has augment=shift, but .* has none"),
        (made("ab"), made("cd", input={"kind": "array", "shape": [2, 1, 1]}), "another kind"),
        (made("ab"), dataclasses.replace(made("cd"), frozen_weights=[np.ones(2)]), "frozen"),
        (made("ab"), "runs/b", "merge needs a list of distilled sets"),
    ],
)
def test_sets_that_can_not_be_merged_are_one_line(one, other, told):
    with pytest.raises(UserError, match=told) as error:
        td.merge([one, other])
    assert "\n" not in str(error.value)


def test_one_set_is_no_list_of_sets():
    with pytest.raises(UserError, match="merge needs a list of distilled sets"):
        td.merge(made("ab"))


@pytest.mark.parametrize(
    ("sizes", "n"), [((20, 3), 23), ((10, 10), 10), ((8, 4), 6), ((3, 2), 5), ((1, 1), 1)]
)
def test_minibatches_are_about_as_large_as_those_of_the_sets(sizes, n):
    sets = [made("abc", steps=size // min(size, 10) or 1, n=min(size, 10)) for size in sizes]
    assert td.merge(sets).samples.x.shape[1] == n


def test_sets_of_one_network_keep_its_layers_and_their_recipe():
    layers = {"layers": ["Dense: units 3"]}
    one, other = made("abc", **layers), made("abc", steps=1, **layers)
    merged = td.merge([one, other]).metadata
    assert merged["layers"] == ["Dense: units 3"]
    assert merged["recipe"] == "Adam at 0.002, shuffled minibatches of 3, 2 epochs (6 steps)"
    assert "layers" not in td.merge([one, made("def", **layers)]).metadata  # of more outputs
    assert "layers" not in td.merge([one, made("abc")]).metadata


def test_other_words_or_vectors_are_not_merged():
    described = {"kind": "text", "shape": [2, 1, 1], "vocabulary": ["a", "b"]}
    one = dataclasses.replace(made("ab", input=described), vectors=np.ones((2, 1), "f4"))
    other = dataclasses.replace(made("cd", input=described), vectors=one.vectors)
    np.testing.assert_array_equal(td.merge([one, other]).vectors, one.vectors)
    for changed in (
        dataclasses.replace(other, vectors=2 * one.vectors),
        made("cd", input=described | {"vocabulary": ["b", "a"]}),
    ):
        with pytest.raises(UserError, match="other words or vectors"):
            td.merge([one, changed])
