"""A set as a folder of plain files: written, read back, and refused where it has been changed."""

import dataclasses
import hashlib
import io
import json
import shutil
import warnings
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from made_sets import IMAGE, TEXT, made
from PIL import Image

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.export import distilled_set, load, set_folder


@pytest.fixture
def folder(tmp_path):
    """The folder of such a set."""
    return td.save_distilled(made(), tmp_path / "new" / "set")


def edit(folder, change):
    """Changes the card of a folder."""
    card = json.loads((folder / "card.json").read_text())
    change(card)
    (folder / "card.json").write_text(json.dumps(card))


def write_arrays(folder, **changed):
    """Writes set.npz with other arrays; None takes one away."""
    with np.load(folder / "set.npz") as found:
        arrays = {**found, **changed}
    np.savez(folder / "set.npz", **{n: a for n, a in arrays.items() if a is not None})


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_set_comes_back(tmp_path):
    weights = [np.full((i + 1,), i, "f4") for i in range(11)]
    frozen = [tf.constant([True]), tf.constant(3), tf.ones(2, tf.bfloat16)]
    vectors = np.arange(9, dtype="f4").reshape(3, 3)
    before = made(TEXT, frozen_weights=frozen, vectors=vectors)
    before.metadata["sentences"] = ["step 1, sentence 1: no", "a c", ""]
    before = dataclasses.replace(before, initial_weights=weights)
    loaded = load(set_folder.save(before, tmp_path / "set"))
    assert_same(loaded.samples, before.samples)
    assert_same(loaded.initial_weights, weights)
    assert_same([np.float32(w) for w in loaded.frozen_weights], map(np.float32, frozen))
    assert_same(loaded.vectors, vectors)
    digest = hashlib.sha256(vectors.tobytes()).hexdigest()
    before.metadata["input"] = TEXT | {"vectors": digest}
    assert before.metadata.items() <= loaded.metadata.items()
    assert loaded.encoding.number(["c a b"]).tolist() == [[4, 2]]
    (tmp_path / "set" / "vectors.npz").unlink()  # to send less
    assert load(tmp_path / "set").encoding is None


def test_what_numpy_and_json_alone_find(folder):
    card = json.loads((folder / "card.json").read_text())
    with np.load(folder / "set.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"x", "y", "lr"}
        for name, array in arrays.items():
            assert array.dtype == np.float32
            assert card["arrays"][name] == [*array.shape]
            assert card["sha256"][name] == hashlib.sha256(array.tobytes()).hexdigest()
    shown = sorted((folder / "samples").iterdir())
    assert [p.name for p in shown] == ["0000_no.png", "0001_oh_yes.png"]
    pixels = np.asarray(Image.open(shown[0]), float)
    expected = 255 * (np.linspace(-3, 3, 12)[:6] * 0.25 + 0.5)
    np.testing.assert_allclose(pixels.ravel(), np.clip(expected, 0, 255), atol=1)
    page = (folder / "README.md").read_text()
    for told in ("90.00 ± 1.00 %", "2 of 2 x 3 x 1", "0 is no, 1 is oh/yes", "std [0.25]", "lr[t]"):
        assert told in page


def test_a_page_for_training_has_no_steps_and_tells_what_is_real(tmp_path):
    told = made(use="training", about={"learn": "labels", "epochs": 30})
    page = (td.save_distilled(told, tmp_path / "set") / "README.md").read_text()
    assert "Real samples with learned labels" in page
    assert "keras.losses.BinaryCrossentropy(from_logits=True)" in page  # of two classes
    assert "batch_size=1, epochs=30" in page
    assert "lr[t]" not in page


@pytest.mark.parametrize("run", ["image_run", "text_run"])
def test_a_run_writes_its_set_in_both_forms(run, request):
    run = request.getfixturevalue(run)
    plain, saved = load(run), load(run / "distilled" / "1")
    assert plain.metadata["format"] == 2
    for one, other in ((plain.samples, saved.samples),
                       (plain.initial_weights, saved.initial_weights)):  # fmt: skip
        assert_same(one, other)
    assert plain.metadata["layers"][-1].startswith("Dense: units")
    texts = plain.metadata["dataset"] == "toy_questions"
    assert plain.metadata.get("license") == ("Apache-2.0" if texts else None)  # of digits, unknown
    page = (run / "set" / "1" / "README.md").read_text()
    assert ("| licence of the data | Apache-2.0 |" in page) == texts
    plain.metadata["input"].pop("vectors", None)  # their SHA-256
    own = {"format", "initial_weights", "frozen_weights"}
    for name in saved.metadata.keys() - own:
        assert plain.metadata[name] == saved.metadata[name]
    without = [p for p in (run / "set" / "1").rglob("*") if p.name != "vectors.npz"]
    assert sum(p.stat().st_size for p in without) < 2**20


def test_a_folder_that_is_there_is_left_alone(folder):
    with pytest.raises(UserError, match="is there already; name a new one"):
        td.save_distilled(made(), folder)
    set_folder.write(folder, made(use="training"))  # a run's own
    assert load(folder).metadata["use"] == "training"


def test_a_compressed_archive_is_no_set(folder):
    np.savez_compressed(folder / "set.npz", x=np.zeros(10**6))
    with pytest.raises(UserError, match=r"set.npz \(it is compressed, and numpy.savez does not"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(classes=["oh/yes", "no"]), "classes in card.json has been changed"),
        (lambda c: c["input"].update(std=[0.5]), "input in card.json has been changed"),
        (lambda c: c.update(inner_optimizer="adam"), "inner_optimizer in card.json has been ch"),
        (lambda c: c["accuracy"].update(mean=1), "accuracy in card.json has been changed"),
        (lambda c: c.pop("augment"), "augment in card.json has been changed"),
        (lambda c: c["sha256"].pop("classes"), "classes in card.json has been changed"),
        (lambda c: c.update(dataset="others"), "dataset in card.json has been changed"),
        (lambda c: c.pop("license"), "license in card.json has been changed"),
        (lambda c: c["arrays"].update(x=[1, 2, 2, 3, 1]), r"x has the shape \[2, 1, 2, 3, 1\]"),
        (lambda c: c["arrays"].update(initial_0=[3]), "has no array 'initial_0'"),
        (lambda c: c["sha256"].clear(), "has no 'x'"),
        (lambda c: c.update(format=3), "has format 3, this tf_distill reads 1 to 2; install a new"),
        (lambda c: c.pop("format"), "is no distilled set; expected a folder such as"),
        (lambda c: c.update(inner_optimizer="none"), "expected one of sgd, momentum, adam"),
    ],
)
def test_a_changed_card_is_one_line_with_what_was_changed(folder, change, told):
    edit(folder, change)
    refused(folder, told)


def refused(folder, told):
    with pytest.raises(UserError, match=told) as error:
        load(folder)
    assert "\n" not in str(error.value)


def flip(folder, name):
    """Flips a bit of the numbers of an array, within the file."""
    with np.load(folder / "set.npz") as arrays:
        place = (folder / "set.npz").read_bytes().index(arrays[name].tobytes())
    damaged = bytearray((folder / "set.npz").read_bytes())
    damaged[place] ^= 1
    (folder / "set.npz").write_bytes(damaged)


def own_header(folder, header):
    """Puts an array with this header in place of x."""
    text = header.encode().ljust(118) + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(folder / "set.npz", "w") as archive:
        archive.writestr("x.npy", data)
        for name in ("y", "lr"):
            buffer = io.BytesIO()
            np.save(buffer, np.zeros(1, "f4"))
            archive.writestr(f"{name}.npy", buffer.getvalue())


def huge(shape):
    return f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"


def twice(folder):
    """Puts a second value of a name before the first."""
    text = (folder / "card.json").read_text()
    (folder / "card.json").write_text(text.replace("{", '{"format": 2, ', 1))


def two_arrays(folder):
    """Puts a second y behind the first."""
    data = io.BytesIO()
    np.save(data, np.zeros((2, 1, 1), "f4"))
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "set.npz", "a") as archive:
        warnings.simplefilter("ignore")  # zipfile's own, of the name
        archive.writestr("y.npy", data.getvalue())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        *((lambda f, n=n: flip(f, n), rf"Bad CRC-32 for file '{n}.npy'") for n in ("x", "y", "lr")),
        (lambda f: write_arrays(f, lr=np.float32([0.1, 0.3])), "lr has been changed: its SHA-256"),
        (lambda f: write_arrays(f, x=None), "has no array 'x'"),
        (lambda f: write_arrays(f, y=np.zeros((2, 1, 1), "f8")), "y has numbers of the type fl"),
        (lambda f: write_arrays(f, y=np.array([{}], object)), "can't read .*set.npz"),
        (lambda f: own_header(f, huge((2**40, 2**10))), "can't read .*set.npz"),
        (lambda f: own_header(f, huge((2**62, 2**62))), "can't read .*set.npz"),
        (lambda f: own_header(f, huge((-1,))), "can't read .*set.npz"),
        (lambda f: own_header(f, "[" * 9000), "can't read .*set.npz"),
        (lambda f: own_header(f, huge("(" + "1," * 20000 + ")")), "can't read .*set.npz"),
        (lambda f: (f / "set.npz").unlink(), "can't read .*set.npz"),
        (lambda f: (f / "set.npz").write_bytes(b"PK\3\4"), "can't read .*set.npz"),
        (lambda f: (f / "card.json").write_text("[" * 100_000), "card.json is damaged"),
        (lambda f: (f / "card.json").write_text('{"format": 2, "classes": ['), "card.json is dam"),
        (lambda f: (f / "card.json").write_text('{"format": 2}'), "card.json is damaged"),
        (twice, "card.json is damaged .a name twice in one object"),
        (two_arrays, "can't read .*set.npz .two arrays of one name"),
    ],
)  # fmt: skip
def test_damage_is_one_line(folder, damage, told):
    damage(folder)
    refused(folder, told)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    wrong = made(TEXT)
    wrong = dataclasses.replace(wrong, samples=wrong.samples._replace(lr=np.float32([1, np.nan])))
    refused(td.save_distilled(wrong, tmp_path / "set"), "no sound .*numbers that are not finite")


@pytest.mark.parametrize(
    ("input_", "told"),
    [
        (IMAGE | {"mean": [float("inf")]}, "numbers that are not finite"),
        (IMAGE | {"std": [1, 2, 3]}, "mean and std of 1 channels have other lengths"),
        ({"kind": "image", "shape": [2, 3, 1]}, "there is no mean and std"),
    ],
)
def test_a_preprocessing_that_does_not_fit_is_refused(input_, told):
    with pytest.raises(ValueError, match=told):
        distilled_set.check(made(input_))


def test_two_classes_of_one_name_are_refused():
    twins = made()
    twins.metadata["classes"] = ["a", "a"]
    with pytest.raises(ValueError, match="two classes of one name"):
        distilled_set.check(twins)


def test_vectors_of_other_words_are_named(tmp_path):
    vectors = np.ones((3, 3), "f4")
    folder = td.save_distilled(made(TEXT, vectors=vectors), tmp_path / "set")
    np.savez(folder / "vectors.npz", vectors=2 * vectors)
    refused(folder, "vectors has been changed")
    shutil.copy(folder / "vocabulary.txt", folder / "vectors.npz")
    refused(folder, "can't read .*vectors.npz")
    (folder / "vectors.npz").unlink()
    (folder / "vocabulary.txt").write_text("a\nb\nd\n")
    refused(folder, "vocabulary.txt has been changed")
    (folder / "vocabulary.txt").unlink()
    refused(folder, "no sound distilled set .*vocabulary.txt")
