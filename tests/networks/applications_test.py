"""Networks of keras.applications: refused with a line, and distilled for after it is followed.

python -m pytest -m long tests/networks/applications_test.py
"""

import keras
import numpy as np
import pytest

import tf_distill as td

NAMES = ["MobileNetV2", "EfficientNetB0", "ResNet50V2", "DenseNet121", "ConvNeXtTiny"]


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_keras_is_distilled_for_after_the_line_that_it_gets(name, tmp_path):
    rng, y = np.random.default_rng(0), np.arange(30) % 3
    data = td.datasets.from_arrays(rng.integers(0, 256, (30, 32, 32, 3)).astype(np.uint8), y)
    settings = {"weights": None, "input_shape": (32, 32, 3), "classifier_activation": None}
    model = getattr(keras.applications, name)(classes=3, **settings)
    with pytest.raises(td.UserError, match=r"give tf_distill\.layers\.without_batch_norm\(model\)"):
        td.distill(data, model)
    sizes = {"samples_per_step": 3, "steps": 1, "epochs": 1, "unroll": 1, "window": 1}
    result = td.distill(
        data,
        td.layers.without_batch_norm(model),
        outer_steps=1,
        batch_size=6,
        eval_networks=1,
        **sizes,
    )
    assert all(np.isfinite(step["loss"]) for step in result.history)
    exported = result.export(tmp_path)["model"]
    assert (exported / "saved_model.pb").is_file()
