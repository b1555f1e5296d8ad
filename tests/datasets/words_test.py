"""Words: splitting, numbering, embedding and decoding."""

import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.datasets.words import (
    PADDING,
    UNKNOWN,
    TextEncoding,
    forget_words,
    number_words,
    survey,
    tokenize,
    unseen_words,
)

WORDS = ["the", "cat", "sat", "?"]
VECTORS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)

TOKENS = [
    ("Who wrote Hamlet ?", "who wrote hamlet ?"),
    ("Who wrote Hamlet?", "who wrote hamlet ?"),
    ("It isn't, is it?", "it is n't , is it ?"),
    ("CAN'T WON'T", "ca n't wo n't"),
    ("who's I'm he'd we're I've she'll", "who 's i 'm he 'd we 're i 've she 'll"),
    ("What \u2019s up? It\u2019s fine", "what 's up ? it 's fine"),
    ("the dogs' home 'quoted'", "the dogs ' home ' quoted '"),
    ("good.<br /><br />Bad<br>End<BR/>", "good . bad end"),
    ("U.S. $5.00 50% a-b", "u . s . $ 5 . 00 50 % a - b"),
    ("``quoted''", "` ` quoted ' '"),
    ("Caf\u00e9 \u00c9COLE na\u00efve", "caf\u00e9 \u00e9cole na\u00efve"),
    ("\u65e5\u672c\u8a9e \U0001f600!", "\u65e5 \u672c \u8a9e \U0001f600 !"),
    ("C3\u306e\u30ab\u3099", "c3 \u306e \u30ab\u3099"),  # the last letter is of two parts
    ("\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48", "\u0e17\u0e35\u0e48 \u0e19\u0e35\u0e48"),
    ("\ud55c\uad6d\uc5b4 \u0439\u043e\u0434", "\ud55c\uad6d\uc5b4 \u0439\u043e\u0434"),
    (b"bad \xff byte", "bad \ufffd byte"),
    (" \t\n tabs\tand\nlines ", "tabs and lines"),
    ("", ""),
    ("   ", ""),
]


def test_unseen_is_the_share_of_words_that_occur_once():
    x = np.array([[2, 3, 3, 4, 0], [5, 1, 1, 0, 0], [3, 6, 0, 0, 0]])
    assert unseen_words(x) == 4 / 7
    assert unseen_words(np.array([[2, 2], [0, 1]])) == 0
    assert unseen_words(np.zeros((3, 4), np.int32)) == 0


def test_forgotten_words_become_unknown_and_padding_stays():
    x = tf.constant(np.tile([2, 3, PADDING, UNKNOWN], (1000, 1)), tf.int32)
    some = forget_words(x, 0.25, tf.constant([1, 2])).numpy()
    assert (some[:, 2] == PADDING).all()
    assert (some[:, 3] == UNKNOWN).all()
    assert (some[:, :2] == UNKNOWN).mean() == pytest.approx(0.25, abs=0.03)
    assert set(np.unique(some[:, 0])) == {UNKNOWN, 2}
    np.testing.assert_array_equal(forget_words(x, 0.25, tf.constant([1, 2])), some)
    assert (forget_words(x, 0.25, tf.constant([1, 3])).numpy() != some).any()
    np.testing.assert_array_equal(forget_words(x, 0.0, tf.constant([1, 2])), x)


def test_a_batch_is_tokenized_text_by_text_also_in_a_graph():
    texts = tf.constant([text for text, _ in TOKENS])
    for split in (tokenize, tf.function(tokenize)):
        for words, (_, expected) in zip(split(texts), TOKENS, strict=True):
            assert [word.decode() for word in words.numpy()] == expected.split()


def test_vocabulary_is_by_frequency_then_alphabet():
    texts = tf.constant(["b a b", "c a d", ""])
    assert survey(texts, 10)[0] == ["a", "b", "c", "d"]
    assert survey(texts, 3)[0] == ["a", "b", "c"]
    assert survey(tf.constant(["z z y"]), 1)[0] == ["z"]


def test_number_pads_cuts_and_knows_the_unknown():
    encoding = TextEncoding(WORDS, VECTORS, length=3)
    texts = tf.constant(["The cat?", "a cat", "", "the cat sat the cat"])
    expected = [[2, 3, 5], [UNKNOWN, 3, PADDING], [PADDING] * 3, [2, 3, 4]]
    got = encoding.number(texts)
    np.testing.assert_array_equal(got, expected)
    assert got.dtype == np.int32
    tables = encoding.tables()
    graph = tf.function(lambda t: number_words(t, tables, 3))(texts)
    np.testing.assert_array_equal(graph, expected)


def test_a_word_is_the_same_in_every_normal_form():
    words = [
        "caf\u00e9",
        "vi\u1ec7t",
        "\ud55c\uad6d",
        "\u0932\u0921\u093c\u0915\u093e",
        "\u00e5ngstr\u00f6m",
    ]
    forms = [unicodedata.normalize(form, " ".join(words)) for form in ("NFC", "NFD")]
    forms.append(forms[0].replace("\u0921\u093c", "\u095c"))  # as many keyboards write it
    forms.append(forms[0].upper())
    texts = tf.constant(forms)
    found, _ = survey(texts, 10)
    assert sorted(found) == sorted(words)
    encoding = TextEncoding(words, np.eye(5), 5)
    np.testing.assert_array_equal(encoding.number(texts), [[2, 3, 4, 5, 6]] * 4)


def test_embedding_gives_padding_and_unknown_words_zero_vectors():
    encoding = TextEncoding(WORDS, VECTORS, length=4)
    x = encoding(tf.constant([[PADDING, UNKNOWN, 2, 5]]))
    np.testing.assert_array_equal(x, [[[0, 0], [0, 0], [1, 0], [0, -1]]])
    assert encoding.metadata() == {"kind": "text", "shape": (4, 2), "vocabulary": tuple(WORDS)}
    assert x.dtype == tf.float32


def test_decode_gives_the_nearest_word():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((50, 6)).astype(np.float32)
    encoding = TextEncoding([f"w{i}" for i in range(50)], vectors, 4)
    sentence = vectors[:9] + 0.3 * rng.standard_normal((9, 6)).astype(np.float32)
    distances = ((sentence[:, None] - vectors[None]) ** 2).sum(-1)
    assert encoding.decode(sentence) == [f"w{i}" for i in distances.argmin(1)]


def test_decode_shows_padding_as_a_dot_and_leaves_it_out_at_the_end():
    encoding = TextEncoding(WORDS, VECTORS, length=3)
    sentence = np.array([[0.9, 0], [0.1, 0], [0, -1], [0, 0.2], [0, 0]])
    assert encoding.decode(sentence) == ["the", "\u00b7", "?"]
    assert encoding.decode(sentence[3:]) == []
    x = encoding(encoding.number(tf.constant(["the cat sat"])))
    assert encoding.decode(x[0].numpy()) == ["the", "cat", "sat"]


def test_any_number_of_texts_is_split_part_by_part(monkeypatch):
    texts = np.array([b"the cat sat", b"", b"the cat", b"who ?", b"the"], object)
    encoding = TextEncoding(WORDS, VECTORS, 3)
    whole = survey(texts, 3), encoding.number(texts)
    assert whole[0][0] == ["the", "cat", "?"]
    np.testing.assert_array_equal(whole[0][1], [3, 0, 2, 2, 1])
    monkeypatch.setattr("tf_distill.datasets.words.AT_ONCE", 2)
    parted = survey(texts, 3), encoding.number(texts)
    assert parted[0][0] == whole[0][0]
    np.testing.assert_array_equal(parted[0][1], whole[0][1])
    np.testing.assert_array_equal(parted[1], whole[1])
