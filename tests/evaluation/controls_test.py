"""Controls change one thing about a distilled set and leave the rest."""

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.core.inner import Samples
from tf_distill.datasets.words import TextEncoding
from tf_distill.evaluation import controls


def test_shuffling_keeps_each_sample_with_its_label():
    samples = small.samples(steps=4, n=3)
    shuffled = controls.shuffled(samples, np.random.default_rng(0))
    rows = [
        np.concatenate([np.reshape(s.x, [12, -1]), np.reshape(s.y, [12, -1])], 1)
        for s in (samples, shuffled)
    ]
    assert not np.array_equal(*rows)
    np.testing.assert_array_equal(*(np.sort(r.view([("", r.dtype)] * r.shape[1]), 0) for r in rows))
    np.testing.assert_array_equal(samples.lr, shuffled.lr)


def test_hard_labels_are_one_hot_at_the_largest():
    samples = small.samples(outputs=3)
    hard = controls.hardened(samples)
    np.testing.assert_array_equal(hard.y.numpy().argmax(-1), samples.y.numpy().argmax(-1))
    np.testing.assert_array_equal(
        np.sort(hard.y.numpy(), -1), np.broadcast_to([0, 0, 1], [2, 3, 3])
    )
    assert hard.x is samples.x
    binary = small.samples(outputs=1)._replace(y=tf.constant([[[2.5], [-2.2], [0.6]]]))
    assert controls.hardened(binary).y.numpy().ravel().tolist() == [1, 0, 1]


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_decoding_takes_the_nearest_words_vectors_at_the_scale_of_the_samples(scale):
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]], np.float32)
    encoding = TextEncoding(["up", "right", "back"], vectors, length=2)
    x = tf.constant([[[[0.1, 3.0], [-0.6, -0.5]]], [[[0.8, 0.1], [0.0, 0.9]]]])
    small_ones = Samples(scale * x, tf.zeros([2, 1, 3]), tf.ones(2))
    words = controls.decoded(small_ones, encoding, scale)
    expected = np.float32(scale) * vectors
    np.testing.assert_array_equal(words.x[:, 0], [expected[[0, 2]], expected[[1, 0]]])
    assert words.y.shape == (2, 1, 3)


@pytest.mark.parametrize(("n", "steps", "batch"), [(3, 1, 3), (13, 2, 10), (20, 2, 10)])
def test_sgd_has_all_samples_in_minibatches_of_up_to_ten(n, steps, batch):
    samples = small.samples(steps=1, n=n, epochs=1)
    dealt = controls.in_minibatches(samples, epochs=2)
    place = np.arange(steps * batch) % n  # the first fill up the last minibatch
    for found, given in ((dealt.x, samples.x), (dealt.y, samples.y)):
        assert found.shape[:2] == (steps, batch)
        np.testing.assert_array_equal(
            tf.reshape(found, [steps * batch, -1]), given.numpy()[0, place]
        )
    np.testing.assert_array_equal(dealt.lr, [samples.lr[0]] * (2 * steps))


def test_longer_training_is_at_the_first_rate():
    samples = small.samples(steps=2, epochs=2)
    longer = controls.longer(samples, 3)
    np.testing.assert_array_equal(longer.lr, [samples.lr[0]] * 12)
    assert longer.x is samples.x
