"""Runs from Python on small vectors, with a network of one's own, that are then compared."""

import keras
import small

import tf_distill as td

SETTINGS = {"outer_steps": 3, "batch_size": 16, "epochs": 2}
PROTOCOL = {"baseline_sets": 3, "baseline_networks": 2, "sgd_epochs": 2, "control_steps": 2}
QUICK = td.Training(lr=0.01, batch_size=16, epochs=3, steps=1000)


def build():
    """A network with dropout, which full training heeds."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input([small.FEATURES]),
            layers.Dense(8, "tanh"),
            layers.Dropout(0.5),
            layers.Dense(small.CLASSES),
        ]
    )


def frozen():
    """A network whose first layer is not trained."""
    model = build()
    model.layers[0].trainable = False
    return model


def distilled(run_dir=None, model=build):
    """A result of three outer steps."""
    return td.distill(small.dataset(), model, run_dir=run_dir, **SETTINGS)
