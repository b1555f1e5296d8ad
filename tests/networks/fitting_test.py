"""Which named networks take which data."""

import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.datasets.images import SMALLEST
from tf_distill.networks import choice
from tf_distill.networks.registry import NETWORKS


def images(side, channels=1):
    x = np.arange(8 * side * side * channels).reshape(8, side, side, channels) % 256
    return td.datasets.from_arrays(x.astype(np.uint8), np.arange(8) % 2)


def texts(length):
    x, y = ["a fine film", "a dull film"] * 10, ["good", "bad"] * 10
    return td.datasets.from_texts(x, y, length=length)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: images(12), ["lenet", "alexcifarnet"]),
        (lambda: images(12, channels=3), ["lenet", "alexcifarnet"]),
        (lambda: images(11), []),
        (lambda: texts(5), ["textconvnet", "birnn", "bilstm"]),
        (lambda: texts(4), ["birnn", "bilstm"]),
        (small.dataset, []),
    ],
    ids=["grey", "colour", "small", "words", "few words", "vectors"],
)
def test_the_networks_that_take_data(data, expected):
    dataset = data()
    assert choice.fitting_names(dataset) == expected
    for name in expected:
        model = NETWORKS[name].build(dataset.encoding.shape, dataset.outputs)
        assert model.output_shape == (None, 1)


@pytest.mark.parametrize(
    ("data", "model", "told"),
    [
        (lambda: texts(4), "textconvnet", "takes texts of at least 5 words, but texts has 4"),
        (
            lambda: images(11),
            "lenet",
            "takes images of at least 12x12 pixels, but arrays has 11",
        ),
    ],
    ids=["words", "pixels"],
)
def test_too_small_data_are_refused_in_a_line(data, model, told):
    with pytest.raises(td.UserError) as error:
        td.distill(data(), model)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_pictures_are_scaled_up_where_lenet_would_refuse_them():
    assert NETWORKS["lenet"].least == SMALLEST
