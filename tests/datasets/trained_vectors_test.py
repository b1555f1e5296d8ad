"""Vectors made of texts: counts by hand, and that words of like company lie together."""

import numpy as np
import pytest

from tf_distill.datasets.embeddings import (
    SCALE,
    SMOOTHING,
    cooccurrence,
    positive_information,
    train_vectors,
)


def test_cooccurrence_by_hand():
    numbered = np.array([[0, 1, 2, -1], [1, -1, 0, -1]])
    expected = np.array([[0, 1, 0.5 + 0], [1, 0, 1], [0.5, 1, 0]])
    expected[0, 1] = expected[1, 0] = 1 + 0.5  # next in one text, two apart in the other
    np.testing.assert_allclose(cooccurrence(numbered, 3).toarray(), expected)


def test_cooccurrence_does_not_depend_on_how_rows_are_parted(monkeypatch):
    numbered = np.random.default_rng(0).integers(-1, 9, (50, 12))
    whole = cooccurrence(numbered, 9).toarray()
    monkeypatch.setattr("tf_distill.trained_vectors.ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(cooccurrence(numbered, 9).toarray(), whole)


def test_positive_information_by_its_definition():
    counts = np.array([[0, 6.0, 1], [6, 0, 2], [1, 2, 0]])
    import scipy.sparse

    found = positive_information(scipy.sparse.csr_array(counts)).toarray()
    word, context = counts.sum(1) / counts.sum(), counts.sum(0) ** SMOOTHING
    with np.errstate(divide="ignore"):
        expected = np.log(counts / counts.sum() / np.outer(word, context / context.sum()))
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-12)


def grammar(texts=600):
    """Texts of a noun of one of two groups between the verbs of its group."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, texts)
    noun, verbs = rng.integers(0, 5, texts), rng.integers(0, 4, (texts, 2))
    return np.stack(
        [10 + 4 * group + verbs[:, 0], 5 * group + noun, 10 + 4 * group + verbs[:, 1]], 1
    )


def test_words_of_like_company_lie_together():
    vectors = train_vectors(grammar(), 18)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit @ unit.T
    same, other = alike[:5, :5][~np.eye(5, dtype=bool)], alike[:5, 5:10]
    assert same.min() > other.max() + 0.2


@pytest.mark.parametrize("words", [1, 2, 18, 300])
def test_shape_and_scale(words):
    numbered = np.random.default_rng(1).integers(0, words, (200, 8))
    vectors = train_vectors(numbered, words)
    assert vectors.shape == (words, max(1, min(100, words - 1)))
    assert vectors.dtype == np.float32
    assert np.sqrt((vectors**2).mean()) == pytest.approx(SCALE, rel=1e-3)


def test_words_that_stand_alone_have_vectors_of_their_own():
    vectors = train_vectors(np.array([[0], [1], [2]]), 3)
    assert len(np.unique(vectors, axis=0)) == 3


def test_follows_the_seed():
    numbered = grammar()
    np.testing.assert_array_equal(train_vectors(numbered, 18, 3), train_vectors(numbered, 18, 3))
