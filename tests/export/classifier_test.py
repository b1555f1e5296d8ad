"""The served classifiers, run outside Python, answer what Keras answers."""

import numpy as np
import small
import tensorflow as tf
from served import dataset, example, in_cpp, in_keras, strings

from tf_distill.datasets import TextEncoding
from tf_distill.export import classifier

BATCHES = (0, 1, 7, 1024)
ODD_TEXTS = strings("", " \t\n", "xyzzy plugh", "who wrote the old book ? " * 2000,
                    "¿Quién escribió el libro? 誰が 🤔", b"who \xff\xfe wrote \xc3",
                    b"who\x00wrote", "<padding> <unknown>")  # fmt: skip


def assert_same(answer, probabilities, classes):
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_array_equal(answer["class_id"], answer["probabilities"].argmax(axis=1))
    assert answer["label"].tolist() == [classes[i].encode() for i in answer["class_id"]]


def test_text_in_cpp(text_run, tmp_path):
    data = dataset(text_run)
    texts = [np.resize(data.raw_test, n) for n in BATCHES] + [ODD_TEXTS]
    examples = strings(*(example("text", text) for text in data.raw_test[:7]))
    requests = [("serving_default", {"text": t}) for t in texts]
    requests.append(("classify", {"inputs": examples}))
    *answers, classified = in_cpp(text_run / "model" / "1", requests, tmp_path)
    embedded = data.encoding(data.encoding.number(np.concatenate(texts)))
    expected = np.split(in_keras(text_run, embedded), np.cumsum([len(t) for t in texts])[:-1])
    for answer, probabilities in zip(answers, expected, strict=True):
        assert_same(answer, probabilities, data.classes)
    np.testing.assert_array_equal(classified["scores"], answers[2]["probabilities"])
    assert classified["classes"].tolist() == [[c.encode() for c in data.classes]] * 7


def test_image_in_cpp(image_run, tmp_path):
    data = dataset(image_run)
    images = [np.resize(data.x_test, (n, 28, 28, 1)) for n in BATCHES]
    floats = [("serving_default", {"image": x.astype(np.float32) / 255}) for x in images]
    pixels = [("serving_uint8", {"image": x}) for x in images]
    png = strings(*(tf.io.encode_png(x).numpy() for x in data.x_test[:7]))
    large = tf.repeat(tf.image.resize(data.x_test[0], (56, 40)), 3, axis=-1)
    large = tf.cast(large, tf.uint8)
    both = strings(tf.io.encode_png(large).numpy(), tf.io.encode_jpeg(large, quality=100).numpy())
    files = [
        ("serving_encoded", {"image_bytes": png}),
        ("classify", {"inputs": strings(*(example("image/encoded", p) for p in png))}),
        ("serving_encoded", {"image_bytes": both}),
    ]
    wide, high = np.zeros((1, 28, 29, 1), np.float32), np.zeros((1, 29, 28, 1), np.uint8)
    refused = {
        "Unknown image file format": ("serving_encoded", {"image_bytes": strings("no image")}),
        "[1,28,29,1] is not compatible with expected shape [?,28,28,1]":
            ("serving_default", {"image": wide}),
        "[1,29,28,1] is not compatible": ("serving_uint8", {"image": high}),
        "image/encoded": ("classify", {"inputs": strings(example("picture", b""))}),
    }  # fmt: skip
    asked = [*floats, *pixels, *files, *refused.values()]
    answers = iter(in_cpp(image_run / "model" / "1", asked, tmp_path))
    expected = in_keras(image_run, data.encoding(images[-1]))
    for n in (*BATCHES, *BATCHES, 7):
        assert_same(next(answers), expected[:n], data.classes)
    np.testing.assert_allclose(next(answers)["scores"], expected[:7], atol=1e-5)
    np.testing.assert_allclose(*next(answers)["probabilities"], atol=0.02)  # PNG and JPEG
    for message, answer in zip(refused, answers, strict=True):
        assert message in answer


def test_word_vectors_are_a_variable_and_words_an_asset(text_run):
    model, encoding = text_run / "model" / "1", dataset(text_run).encoding
    graph = (model / "saved_model.pb").read_bytes()
    assert encoding.vectors.numpy().tobytes() not in graph
    lines = (model / "assets" / "vocabulary.txt").read_text().splitlines()
    assert lines == ["<padding>", "<unknown>", *encoding.words]


def test_binary_probabilities():
    logits = tf.constant([[-100.0], [0.0], [2.0]])
    expected = [[1, 0], [0.5, 0.5], [1 / (1 + np.e**2), 1 / (1 + np.e**-2)]]
    np.testing.assert_allclose(classifier.class_probabilities(logits), expected, rtol=1e-6)


def test_other_inputs_are_served_as_arrays():
    learner, encoding = small.learner(), small.Identity()
    weights = learner.init(tf.constant([0, 1]))
    model = classifier.classifier_for(learner, weights, tuple("abc"), encoding)
    assert set(model.signatures()) == {classifier.PREDICT}
    x = tf.random.stateless_normal([4, small.FEATURES], [0, 0])
    expected = tf.nn.softmax(learner.apply(weights, x))
    np.testing.assert_allclose(model.predict(x)["probabilities"], expected, rtol=1e-5)


def test_every_script_and_normal_form_is_served_as_it_is_trained_on():
    words = ["\u65e5", "caf\u00e9", "\u0e17\u0e35\u0e48", "\u0932\u0921\u093c\u0915\u093e"]
    encoding = TextEncoding(words, np.eye(4), 6)
    learner = small.learner()
    model = classifier.classifier_for(learner, learner.init(tf.constant([0, 1])), "ab", encoding)
    line = "\u672c\u65e5 CAFE\u0301 \u0e17\u0e35\u0e48\u0e17\u0e35\u0e48 \u0932\u095c\u0915\u093e"
    texts = tf.constant([line, "caf\u00e9"])
    served = tf.function(model._embed)(texts)
    np.testing.assert_array_equal(served, encoding(encoding.number(texts)))
    assert served.numpy()[0].any(axis=1).tolist() == [False, True, True, True, True, True]
