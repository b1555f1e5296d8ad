"""The trainers of export/, each a file that trains on a set folder without this package."""

import ast
import importlib
import inspect
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from places import ROOT
from served import dataset

import tf_distill as td
from tf_distill.core import Learner, Samples, fixed_network
from tf_distill.datasets.words import tokenize
from tf_distill.export import LoadedSet
from tf_distill.networks import NETWORKS
from tf_distill.runs.results import layers_in_words

NAMES = ("numpy_trainer", "torch_trainer", "keras_trainer")
OF_NETWORKS = NAMES[1:]
SHARED = ("read_set", "read_test", "batches", "augmented", "encoder", "text_encoder", "split")
INPUTS = {
    "lenet": {"kind": "image", "shape": [13, 12, 3], "mean": [0.5, 0.4, 0.3], "std": [0.2] * 3},
    "convnet-3-2": {"kind": "image", "shape": [13, 14, 1], "mean": [0.5], "std": [0.2]},
    "textconvnet": {"kind": "text", "shape": [7, 4], "vocabulary": ["a", "b"]},
}


def trainer(name):
    """A trainer as a module."""
    if name == "torch_trainer":
        pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "export")
        return importlib.import_module(name)


def made(learner, input_, outputs, network, **more):
    """A set of random samples for one fixed network, in three steps of four samples."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype("f4")  # noqa: E731
    steps = 1 if more.get("use") == "training" else 3  # then no order plays a part
    lr = rng.uniform(0.01, 0.02, 6).astype("f4")
    if more.get("inner_optimizer", "sgd") != "sgd":
        lr[:] = 0.005  # one rate, as such sets have
    samples = Samples(draw(steps, 4, *input_["shape"]), draw(steps, 4, outputs), lr)
    classes = [*"abcdef"[: max(2, outputs)]]
    metadata = {"dataset": "mine", "network": network, "seed": 0, "classes": classes,
                "input": input_, "init": "fixed", "use": "replay", **more}  # fmt: skip
    vectors = draw(2, 4) if input_["kind"] == "text" else None
    return LoadedSet(samples, fixed_network(learner, 1), metadata, vectors=vectors)


def logits_after(distilled, model, x):
    """What this package's own training gives."""
    return np.asarray(distilled.train(model)(x))


def assert_close(found, expected):
    """Equal up to a hundredth of the largest: frameworks have other epsilons in Adam."""
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
def test_a_trainer_stands_alone(name):
    code = (ROOT / "export" / f"{name}.py").read_text(encoding="utf-8")
    imported = {
        getattr(node, "module", None) or alias.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    first = {module.split(".")[0] for module in imported}
    assert first - sys.stdlib_module_names <= {"numpy", name.split("_")[0]}


def test_what_the_trainers_share_is_the_same_text():
    modules = [trainer(name) for name in NAMES]
    for function in SHARED:
        assert len({inspect.getsource(getattr(module, function)) for module in modules}) == 1


@pytest.mark.parametrize("name", OF_NETWORKS)
@pytest.mark.parametrize(
    ("network", "outputs", "more"),
    [
        ("lenet", 3, {"use": "training", "inner_optimizer": "adam"}),
        ("lenet", 1, {"inner_optimizer": "momentum"}),
        ("convnet-3-2", 3, {}),
        ("textconvnet", 3, {}),
    ],
)
def test_the_same_weights_come_out_as_by_this_package(tmp_path, name, network, outputs, more):
    module, input_ = trainer(name), INPUTS[network]
    model = NETWORKS[network].build(tuple(input_["shape"]), outputs)
    distilled = made(Learner(model), input_, outputs, network, **more)
    card, arrays = module.read_set(td.save_distilled(distilled, tmp_path / "set"))
    x = np.random.default_rng(1).standard_normal((5, *input_["shape"])).astype("f4")
    found = module.logits_of(module.train(card, arrays), x)
    expected = logits_after(distilled, model, x)
    assert_close(found, expected)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize(("outputs", "activation"), [(3, "relu"), (1, "tanh")])
def test_numpy_trains_a_dense_network(tmp_path, optimizer, outputs, activation):
    module, input_ = trainer("numpy_trainer"), {"kind": "array", "shape": [2, 3], "mean": [1.0],
                                                "std": [2.0]}  # fmt: skip
    layers = [keras.Input((2, 3)), keras.layers.Flatten(), keras.layers.Dense(7, activation),
              keras.layers.Dense(outputs)]  # fmt: skip
    model = keras.Sequential(layers)
    about = {"inner_optimizer": optimizer, "layers": layers_in_words(model)}
    distilled = made(Learner(model), input_, outputs, "python:mine", **about)
    card, arrays = module.read_set(td.save_distilled(distilled, tmp_path / "set"))
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype("f4")
    found = module.layers(module.train(card, arrays), x, activation)[-1]
    assert_close(found, logits_after(distilled, model, x))


@pytest.mark.parametrize(
    ("layers", "hidden", "activation"),
    [
        (["Flatten", "Dense: units 8, activation tanh", "Dense: units 3, activation linear"],
         [8], "tanh"),
        (["Dense: units 8, activation linear", "ReLU", "Dense: units 3, activation linear"],
         [8], "relu"),
        (["ConvMaxPool2D: filters 6", "Dense: units 8, activation sigmoid",
          "Dense: units 3, activation linear"], [], "sigmoid"),
        ([], [], "relu"),
    ],
)  # fmt: skip
def test_numpy_takes_the_dense_layers_of_the_card(layers, hidden, activation):
    module, card = trainer("numpy_trainer"), {"layers": layers}
    assert (module.hidden_of(card), module.activation_of(card)) == (hidden, activation)


@pytest.mark.parametrize("names", [["gelu"], ["relu", "tanh"]])
def test_activations_that_numpy_does_not_have_are_a_line(names):
    card = {"layers": [f"Dense: units 8, activation {name}" for name in names]}
    with pytest.raises(SystemExit, match=f"with {' and '.join(names)}, expected one of relu, tanh"):
        trainer("numpy_trainer").activation_of(card)


IMAGES, TABLE, TEXTS = (
    {"input": {"kind": "image", "shape": [4, 4, 1], "mean": [0], "std": [1]}},
    {"input": {"kind": "table", "shape": [3]}},
    {"input": {"kind": "text", "shape": [5, 2]}},
)


def read_test(tmp_path, card, **arrays):
    np.savez(tmp_path / "test.npz", **{"y_test": np.arange(2), **arrays})
    return trainer("numpy_trainer").read_test(tmp_path / "test.npz", card)


@pytest.mark.parametrize(
    ("card", "given", "expected"),
    [
        (IMAGES, {"x_test": np.ones((2, 4, 4))}, np.ones((2, 4, 4))),
        (TABLE, {"encoded_test": np.ones((2, 3))}, np.ones((2, 3))),
        (TEXTS, {"x_test": ["caf\u00e9".encode(), b"a"]}, ["caf\u00e9", "a"]),
        (TEXTS, {"x_test": np.ones((2, 5), int)}, np.ones((2, 5))),
    ],
)
def test_test_data_are_read(tmp_path, card, given, expected):
    x, y = read_test(tmp_path, card, **given)
    np.testing.assert_array_equal(x, expected)
    assert [*y] == [0, 1]


@pytest.mark.parametrize(
    ("card", "given"),
    [
        (IMAGES, {"x_test": np.ones((2, 8, 8))}),
        (IMAGES, {"x_test": ["a", "b"]}),
        (IMAGES, {"x_test": np.ones((3, 4, 4, 1))}),
        (IMAGES, {"x_test": np.ones((2, 4, 4)), "y_test": ["a", "b"]}),
        (TEXTS, {"x_test": np.ones((2, 5, 2))}),
    ],
)
def test_test_data_that_do_not_fit_the_set_end_a_trainer_with_a_line(tmp_path, card, given):
    with pytest.raises(
        SystemExit, match=r"^got x_test of .*, expected .* class numbers of \(N,\)$"
    ):
        read_test(tmp_path, card, **given)


def printed(capsys):
    """The accuracies in percent that a trainer's last lines tell: the card's and its own."""
    return [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()[-2:]]


@pytest.mark.parametrize("name", OF_NETWORKS)
@pytest.mark.parametrize("run", ["image_run", "text_run"])
def test_a_trainer_gives_the_accuracy_of_the_card(
    name, run, request, tmp_path, capsys, monkeypatch
):
    run, module = request.getfixturevalue(run), trainer(name)
    data = dataset(run)
    inputs = data.x_test if data.raw_test is None else [t.decode() for t in data.raw_test]
    np.savez(tmp_path / "test.npz", x_test=inputs, y_test=data.y_test)
    monkeypatch.setattr(sys, "argv", [name, str(run / "set" / "1"), str(tmp_path / "test.npz")])
    module.main()
    card, here = printed(capsys)
    assert card == pytest.approx(here, abs=0.5)


def test_numpy_gives_the_accuracy_of_digits(tmp_path, capsys, monkeypatch):
    from sklearn.datasets import load_digits

    digits = load_digits()
    data = td.datasets.from_arrays(digits.data, digits.target)
    dense = keras.layers.Dense
    build = lambda: keras.Sequential([dense(20, "relu"), dense(10)])  # noqa: E731
    result = td.distill(data, build, use="replay", outer_steps=40)
    td.save_distilled(result.distilled, tmp_path / "set")
    np.savez(tmp_path / "test.npz", x_test=data.x_test, y_test=data.y_test)
    module = trainer("numpy_trainer")
    words = ["numpy_trainer", str(tmp_path / "set"), str(tmp_path / "test.npz")]
    monkeypatch.setattr(sys, "argv", words)
    module.main()
    card, here = printed(capsys)
    assert card == pytest.approx(100 * result.accuracy.mean, abs=0.01)
    assert card == pytest.approx(here, abs=0.5)


@pytest.mark.parametrize("augment", ["shift", "crop_and_flip"])
def test_minibatches_deal_all_samples_and_move_images(augment):
    module = trainer("numpy_trainer")
    x = np.arange(2 * 3 * 16 * 8, dtype="f4").reshape(2, 3, 16, 8, 1)
    y = np.arange(6, dtype="f4").reshape(2, 3, 1)
    card = {"use": "training", "input": {"mean": [0.0], "std": [1.0]}}
    arrays = {"x": x, "y": y, "lr": np.ones(4, "f4")}
    for epoch in np.split(np.array([b[1] for b in module.batches(card, arrays, 0)]), 2):
        assert sorted(epoch.ravel()) == [*range(6)]
    moved = module.augmented(card | {"augment": augment}, x[0], np.random.default_rng(0))
    assert moved.shape == x[0].shape
    assert {*moved.ravel()} <= {0, *x[0].ravel()}
    assert np.any(moved != x[0])


def test_texts_are_split_as_for_training():
    texts = ["Isn\u2019t it 3.5 EUR, who's\tthere?", "a<br />b's (n't)", "caf\u00e9-\u65e5\u672c's"]
    expected = [[w.decode() for w in words] for words in tokenize(tf.constant(texts)).to_list()]
    assert [trainer("numpy_trainer").split(text) for text in texts] == expected


def change_std(folder):
    card = json.loads((folder / "card.json").read_text())
    card["input"]["std"] = [2.0]
    (folder / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: (f / "card.json").unlink(), "can't read the set or the test data: .*card.json"),
        (lambda f: np.savez(f / "set.npz", x=np.zeros(3, "f4")), "x in .*set.npz has been changed"),
        (change_std, "input in .*card.json has been changed"),
    ],
)
def test_a_set_that_can_not_be_read_ends_a_trainer_with_a_line(
    change, told, image_run, tmp_path, monkeypatch
):
    folder = td.save_distilled(td.load_distilled(image_run), tmp_path / "set")
    change(folder)
    monkeypatch.setattr(sys, "argv", ["numpy_trainer", str(folder), "test.npz"])
    with pytest.raises(SystemExit, match=told):
        trainer("numpy_trainer").main()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_a_trainer_does_not_know_is_a_line(name, image_run):
    module = trainer(name)
    card, arrays = module.read_set(image_run / "set" / "1")
    with pytest.raises(SystemExit, match=r"the set is for (lenet, which is not|bilstm, expected)"):
        module.train(card if name == "numpy_trainer" else card | {"network": "bilstm"}, arrays)
