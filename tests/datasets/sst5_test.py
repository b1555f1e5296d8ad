"""SST-5 from its trees: sentences, and a small one prepared from files made by hand."""

import numpy as np
import pytest
import small

from tf_distill.datasets import DATASETS
from tf_distill.datasets.sst5 import GRADES, sentence

VECTORS = "it 1 0\nworks 0 1\n. 1 1\nfilm 2 1\ngreat 2 2\nfails 3 3\n"


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ("(3 (2 It) (4 works))", "It works"),
        ("(2 word)", "word"),
        ("(2 (2 -LRB-) (2 (3 1\\/2) (2 -RRB-)))", "( 1/2 )"),
        ("(1 (2 Is) (1 (2 n't) (2 `` )))", "Is n't"),
        ("(2 (2 3) (2 4))", "3 4"),
        ("(2 (2 caf\u00e9) (2 ,))", "caf\u00e9 ,"),
    ],
)
def test_sentence(tree, text):
    assert sentence(tree) == text


def test_a_small_sst5_is_prepared_from_its_trees(tmp_path):
    trees = tmp_path / "sst" / "trees"
    trees.mkdir(parents=True)
    for name, text in small.TREES.items():
        (trees / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "glove").mkdir()
    (tmp_path / "glove" / "glove.6B.100d.txt").write_text(VECTORS, encoding="utf-8")
    dataset = DATASETS["sst5"].load(tmp_path, None)
    assert dataset.classes == GRADES
    train = dict(zip(dataset.raw_train, dataset.y_train.tolist(), strict=True))
    assert train == {b"It works .": 3, b"Awful film": 0, b"Great film": 4}
    test = dict(zip(dataset.raw_test, dataset.y_test.tolist(), strict=True))
    assert test == {b"It fails .": 1, b"Great (": 3}
    # The words of the training sentences that have a vector, by frequency and alphabet.
    assert dataset.encoding.words == ("film", ".", "great", "it", "works")
    assert dataset.encoding.shape == (30, 2)
    numbered = dict(zip(dataset.raw_test, dataset.x_test[:, :4].tolist(), strict=True))
    assert numbered == {b"It fails .": [5, 1, 3, 0], b"Great (": [4, 1, 0, 0]}
    np.testing.assert_array_equal(dataset.encoding.vectors[:4], [[0, 0], [0, 0], [2, 1], [1, 1]])
    # What is prepared is read again.
    for tree in trees.iterdir():
        tree.unlink()
    again = DATASETS["sst5"].load(tmp_path, None)
    np.testing.assert_array_equal(dataset.x_train, again.x_train)
