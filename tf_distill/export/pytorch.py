"""A distilled set as one file of tensors for PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tf_distill.common import whole
from tf_distill.core import Samples
from tf_distill.export.distilled_set import LoadedSet
from tf_distill.export.set_folder import arrays_of, plain_metadata


def write(path: Path, distilled: LoadedSet) -> None:
    """Writes a set to `path`, for `torch.load`, whole or not at all.

    It is a dict: x, y and lr as in set.npz, but images are `[steps, n, channels, height, width]`;
    `initial` and `frozen`, lists of weights in the order and the layouts of Keras; `vectors` of the
    words of a set for texts; and `card`, the metadata.
    """
    arrays = arrays_of(distilled)
    if distilled.metadata["input"]["kind"] == "image":
        arrays["x"] = np.ascontiguousarray(np.moveaxis(arrays["x"], -1, 2))
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    content: dict[str, Any] = {name: tensors.pop(name) for name in Samples._fields}
    for kind in ("initial", "frozen"):
        content[kind] = [value for name, value in tensors.items() if name.startswith(f"{kind}_")]
    if distilled.vectors is not None:
        content["vectors"] = torch.tensor(distilled.vectors)
    with whole(path) as part:
        torch.save({**content, "card": plain_metadata(distilled)}, part)
