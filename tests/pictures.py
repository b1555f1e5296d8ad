"""Folders of images for tests."""

import numpy as np
from PIL import Image


def write(path, size=(16, 16), mode="L", value=None, seed=0):
    """An image of noise, or of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if mode == "RGB" else size
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array if value is None else np.full(shape, value, np.uint8)).save(path)


def fill(folder, classes=("cat", "dog"), each=5, ending="png", **settings):
    for i, name in enumerate(classes):
        for j in range(each):
            write(folder / name / f"{j}.{ending}", seed=10 * i + j, **settings)
