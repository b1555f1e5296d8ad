"""Odd and damaged inputs from a seed: each is read as it was meant, or refused by a clear line."""

import re

import numpy as np
import odd_inputs
import pytest

from tf_distill.common.errors import UserError
from tf_distill.datasets import arrays, frames, from_arrays, tables
from tf_distill.datasets.embeddings import read_vectors
from tf_distill.datasets.image_folder import read_folder

LONGEST = 400
"""Characters of a message."""


def write(odd, folder):
    """Writes the files of an input; gives the path of the first."""
    for name, content in odd.data.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / next(iter(odd.data))


def labelled(parts, x, y):
    return [(parts.classes[i], value) for i, value in zip(y, x, strict=True)]


def check_texts(odd, folder):
    path = write(odd, folder)
    parts = tables.read_tables(path, path, **odd.settings)
    found = [(text.decode(), name) for name, text in labelled(parts, parts.x_test, parts.y_test)]
    assert found == odd.truth


def check_rows(odd, folder):
    path = str(write(odd, folder))
    parts, encoding = frames.read_tables(path, path, **odd.settings)
    columns, labels = odd.truth
    assert [parts.classes[y] for y in parts.y_test] == labels
    assert [column.name for column in encoding.columns] == [*columns]
    words = encoding.written(parts.x_test)
    for i, (column, values) in enumerate(zip(encoding.columns, columns.values(), strict=True)):
        if column.is_category:
            assert [row[i] for row in words] == ["" if v is None else v for v in values]
        else:
            meant = [np.nan if v is None else v for v in values]
            np.testing.assert_allclose(parts.x_test[:, i], meant, rtol=1e-9)


def check_vectors(odd, folder):
    found = read_vectors(write(odd, folder), **odd.settings)
    assert found.keys() == odd.truth.keys()
    for word, vector in found.items():
        np.testing.assert_allclose(vector, odd.truth[word], rtol=1e-6)


def check_arrays(odd, folder):
    pixels, labels = odd.truth
    data = from_arrays(**odd.data)
    assert [data.classes[y] for y in data.y_train] == labels
    given = odd.data["x_train"]
    if given.dtype == np.uint8:
        assert data.encoding.kind == "image"
    expected = pixels if data.encoding.kind == "image" else given.astype("f4")
    np.testing.assert_array_equal(data.x_train, expected)


def check_archive(odd, folder):
    pixels, labels = odd.truth
    plain = {name: a.astype(str) if a.dtype == object else a for name, a in odd.data.items()}
    np.savez(folder / "a.npz", **plain)
    parts = arrays.read_npz(folder / "a.npz")
    assert [parts.classes[y] for y in parts.y_train] == labels
    np.testing.assert_array_equal(parts.x_train, pixels)


def check_folder(odd, folder):
    write(odd, folder)
    parts, _ = read_folder(folder, None, None, **odd.settings)
    classes, splits = odd.truth
    assert parts.classes == classes
    found = [labelled(parts, parts.x_train, parts.y_train),
             labelled(parts, parts.x_test, parts.y_test)]  # fmt: skip
    found = found if len(splits) == 2 else [found[0] + found[1]]
    for seen, meant in zip(found, splits, strict=True):
        assert sorted(name for name, _ in seen) == sorted(name for name, _ in meant)
        for name, image in meant:  # in any order; transparent parts are rounded
            assert any(n == name and np.abs(image - np.int64(x)).max() <= 1 for n, x in seen)


KINDS = {
    "texts": (odd_inputs.texts, check_texts, 60),
    "rows": (odd_inputs.rows, check_rows, 16),
    "vectors": (odd_inputs.vectors, check_vectors, 50),
    "arrays": (odd_inputs.arrays, check_arrays, 40),
    "archives": (odd_inputs.arrays, check_archive, 30),
    "folders": (odd_inputs.folder, check_folder, 4),
}
"""How an input is drawn, how it is read and compared, and how many of them are quick."""


def check(odd, compare, folder, printed):
    folder.mkdir()
    try:
        compare(odd, folder)
    except UserError as error:
        message = str(error)
        assert odd.refused, f"refused: {message}"
        assert re.search(odd.refused, message), message
        assert "\n" not in message
        assert len(message.replace(f"{folder}/", "")) <= LONGEST
        assert not re.search(r"Traceback|Error\b|Errno| object at ", message), message
        return
    assert not odd.refused, f"read, expected {odd.refused}"
    out = printed()
    for said in odd.said:
        assert re.search(said, out), (said, out)


def check_all(kind, seeds, folder, capsys):
    draw, compare, _ = KINDS[kind]
    for seed in seeds:
        odd = draw(seed)
        capsys.readouterr()
        try:
            check(odd, compare, folder / str(seed), lambda: capsys.readouterr().out)
        except Exception as error:
            raise AssertionError(f"{kind}, seed {seed}: {odd.name}") from error


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_input_is_read_as_meant_or_refused_by_a_line(kind, tmp_path, capsys):
    check_all(kind, range(KINDS[kind][-1]), tmp_path, capsys)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_odd_inputs(kind, tmp_path, capsys):
    number = KINDS[kind][-1]
    check_all(kind, range(number, 12 * number), tmp_path, capsys)
