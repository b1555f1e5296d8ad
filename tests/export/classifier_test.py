"""The served classifiers, run outside Python, answer what Keras answers."""

import numpy as np
import pytest
import small
import tensorflow as tf
from served import dataset, example, in_cpp, in_keras, strings

from tf_distill.common.errors import UserError
from tf_distill.export import classifier, servable

BATCHES = (0, 1, 7, 1024)
ODD_TEXTS = strings(
    "",
    " \t\n",
    "xyzzy plugh",
    "who wrote the old book ? " * 2000,
    "¿Quién escribió el libro? 誰が 🤔",
    b"who \xff\xfe wrote \xc3",
    b"who\x00wrote",
    "<padding> <unknown>",
)


def assert_same(answer, probabilities, classes):
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    np.testing.assert_array_equal(answer["class_id"], answer["probabilities"].argmax(axis=1))
    assert answer["label"].tolist() == [classes[i].encode() for i in answer["class_id"]]


def test_text_in_cpp(text_run, tmp_path):
    data = dataset(text_run)
    texts = [np.resize(data.raw_test, n) for n in BATCHES] + [ODD_TEXTS]
    model = text_run / "model" / "1"
    answers = in_cpp(model, [("serving_default", {"text": t}) for t in texts], tmp_path)
    embedded = data.encoding(data.encoding.number(np.concatenate(texts)))
    expected = np.split(in_keras(text_run, embedded), np.cumsum([len(t) for t in texts])[:-1])
    for answer, probabilities in zip(answers, expected, strict=True):
        assert_same(answer, probabilities, data.classes)


def test_image_in_cpp(image_run, tmp_path):
    data = dataset(image_run)
    images = [np.resize(data.x_test, (n, 28, 28, 1)) for n in BATCHES]
    floats = [("serving_default", {"image": x.astype(np.float32) / 255}) for x in images]
    pixels = [("serving_uint8", {"image": x}) for x in images]
    png = strings(*(tf.io.encode_png(x).numpy() for x in data.x_test[:7]))
    files = [
        ("serving_encoded", {"image_bytes": png}),
        ("classify", {"inputs": strings(*(example("image/encoded", p) for p in png))}),
    ]
    answers = in_cpp(image_run / "model" / "1", floats + pixels + files, tmp_path)
    expected = in_keras(image_run, data.encoding(images[-1]))
    for answer, n in zip(answers, (*BATCHES, *BATCHES, 7), strict=False):
        assert_same(answer, expected[:n], data.classes)
    np.testing.assert_allclose(answers[-1]["scores"], expected[:7], atol=1e-5)


def test_files_of_other_sizes_and_kinds_in_cpp(image_run, tmp_path):
    image = tf.repeat(tf.image.resize(dataset(image_run).x_test[0], (56, 40)), 3, axis=-1)
    image = tf.cast(image, tf.uint8)
    files = strings(tf.io.encode_png(image).numpy(), tf.io.encode_jpeg(image, quality=100).numpy())
    requests = [
        ("serving_encoded", {"image_bytes": files}),
        ("serving_encoded", {"image_bytes": strings("no image")}),
        ("serving_default", {"image": np.zeros((1, 28, 29, 1), np.float32)}),
        ("serving_uint8", {"image": np.zeros((1, 29, 28, 1), np.uint8)}),
        ("classify", {"inputs": strings(example("picture", b""))}),
    ]
    answers = in_cpp(image_run / "model" / "1", requests, tmp_path)
    png, jpeg = answers[0]["probabilities"]
    np.testing.assert_allclose(png, jpeg, atol=0.02)
    assert "Unknown image file format" in answers[1]
    assert "[1,28,29,1] is not compatible with expected shape [?,28,28,1]" in answers[2]
    assert "[1,29,28,1] is not compatible" in answers[3]
    assert "image/encoded" in answers[4]


def test_text_classify_in_cpp(text_run, tmp_path):
    data = dataset(text_run)
    examples = strings(*(example("text", text) for text in data.raw_test[:5]))
    requests = [
        ("classify", {"inputs": examples}),
        ("serving_default", {"text": data.raw_test[:5]}),
    ]
    classified, predicted = in_cpp(text_run / "model" / "1", requests, tmp_path)
    np.testing.assert_array_equal(classified["scores"], predicted["probabilities"])
    assert classified["classes"].tolist() == [[c.encode() for c in data.classes]] * 5


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


# What a server can't run


def double(x):
    return x * 2


def in_python(x):
    return tf.ensure_shape(tf.numpy_function(double, [x], tf.float32), [None])


def in_eager_python(x):
    return tf.ensure_shape(tf.py_function(double, [x], tf.float32), [None])


def without_batch(x):
    return tf.reduce_sum(double(x))


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (in_python, "PyFunc"),
        (in_eager_python, "EagerPyFunc"),
        (tf.function(double, jit_compile=True), "jit_compile"),
        (without_batch, "does not begin with the batch"),
    ],
)
def test_check_refuses(function, fault, tmp_path):
    save(function, "serving_default", tmp_path)
    with pytest.raises(UserError, match=fault):
        servable.check_servable(tmp_path)


def test_check_accepts(tmp_path):
    save(double, "serving_default", tmp_path)
    servable.check_servable(tmp_path)


def test_check_wants_a_default(tmp_path):
    save(double, "other", tmp_path)
    with pytest.raises(UserError, match="no signature serving_default"):
        servable.check_servable(tmp_path)


def save(function, signature, path):
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": function(x)})
    concrete = module.f.get_concrete_function(tf.TensorSpec([None], tf.float32, "x"))
    tf.saved_model.save(module, str(path), {signature: concrete})
