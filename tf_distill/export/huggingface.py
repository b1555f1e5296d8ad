"""A distilled set as a dataset folder of Hugging Face."""

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from tf_distill.common import whole, write_text
from tf_distill.datasets import TableEncoding, TextEncoding
from tf_distill.export import set_folder
from tf_distill.export.distilled_set import LoadedSet

PARQUET = "data/train-00000-of-00001.parquet"
TASKS = {"image": "image-classification", "text": "text-classification",
         **dict.fromkeys(("array", "table"), "tabular-classification")}  # fmt: skip
REGRESSION = dict.fromkeys(("array", "table"), "tabular-regression")
COLUMNS = {
    "image": "the sample as a picture, its pixels rounded and cut to 0..255",
    "text": "the words nearest to the sample's vectors",
    "row": "the columns of the data, as people write them",
    "label": "the class with the largest number",
    "target": "the quantity, in the units of the data",
    "label_distribution": "the label, a number for each class",
    "x": "the sample as the network sees it: train on this",
    "step": "the inner step that takes the sample, counted from 0",
}
README = """---
{head}
---

{readme}
## With Hugging Face's datasets

```python
from datasets import load_dataset

distilled = load_dataset("PATH/OF/THIS/FOLDER", split="train").with_format("numpy")
```

| column | has |
| --- | --- |
{columns}

What is no column is in the files beside them: `{arrays}` has the learning rates and, where the set
needs them, the initial weights.
"""


def write(folder: Path, distilled: LoadedSet) -> None:
    """Writes a set as a folder for `datasets.load_dataset`, whole or not at all.

    It is a set folder, with the samples also in a Parquet file and with a dataset card as its
    README.md.
    """
    columns, features = _columns(distilled)
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    with whole(folder) as part:
        set_folder.write(part, distilled)
        (part / PARQUET).parent.mkdir()
        table.to_parquet(part / PARQUET)
        told = [f"| `{name}` | {what} |" for name, what in COLUMNS.items() if name in columns]
        page = README.format(
            head="\n".join(f"{k}: {json.dumps(v)}" for k, v in _head(distilled).items()),
            readme=(part / "README.md").read_text(encoding="utf-8"),
            columns="\n".join(told),
            arrays=set_folder.ARRAYS,
        )
        write_text(part / "README.md", page)


def _columns(distilled: LoadedSet) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns by name, and their features."""
    x, encoding = distilled.arrays()[0], distilled.encoding
    steps, n = distilled.samples.x.shape[:2]
    columns, features = _labels(distilled)
    columns |= {"x": [*x], "step": np.repeat(np.arange(steps), n)}
    features |= {"x": _lists(x.shape[1:]), "step": datasets.Value("int32")}
    if pictures := set_folder.pictures(distilled):
        columns["image"], features["image"] = pictures, datasets.Image()
    if isinstance(encoding, TextEncoding):
        columns["text"] = [" ".join(encoding.decode(vectors)) for vectors in distilled.unscaled()]
        features["text"] = datasets.Value("string")
    if isinstance(encoding, TableEncoding):
        names = [column.name for column in encoding.columns]
        columns["row"] = [{name: row[name] for name in names} for row in distilled.rows()]
        features["row"] = {name: datasets.Value("string") for name in names}
    return columns, features


def _labels(distilled: LoadedSet) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of the labels, and their features."""
    if distilled.target:
        return {"target": distilled.quantities()}, {"target": datasets.Value("float64")}
    labels = distilled.label_distributions()
    classes = datasets.ClassLabel(names=[*distilled.metadata["classes"]])
    return (
        {"label": labels.argmax(1), "label_distribution": labels},
        {"label": classes, "label_distribution": _lists(labels.shape[1:])},
    )


def _lists(shape: tuple[int, ...]) -> Any:
    """Nested lists of float32 of a shape."""
    feature = datasets.Value("float32")
    for length in reversed(shape):
        feature = datasets.Sequence(feature, length=length)
    return feature


def _head(distilled: LoadedSet) -> dict[str, Any]:
    """The head of a dataset card: what the Hub shows and searches."""
    metadata = distilled.metadata
    licences = [name.lower() for name in metadata.get("license", "").split(" AND ") if name]
    known = REGRESSION if distilled.target else TASKS
    tasks = [known[kind]] if (kind := metadata["input"]["kind"]) in known else []
    head = {
        "pretty_name": f"{metadata['dataset']}, distilled",
        "license": licences,
        "task_categories": tasks,
        "tags": ["dataset-distillation"],
        "configs": [{"config_name": "default",
                     "data_files": [{"split": "train", "path": PARQUET}]}],
    }  # fmt: skip
    return {name: value for name, value in head.items() if value}
