"""SST-5: sentences of the Stanford Sentiment Treebank in five grades, for tensorflow-datasets."""

import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from tf_distill.datasets.tfds import Splits, whole_splits

URL = "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip"
GRADES = ("very negative", "negative", "neutral", "positive", "very positive")
ESCAPES = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


class Sst5(tfds.core.GeneratorBasedBuilder):
    """Sentences with the grade of their tree's root.

    R. Socher et al., "Recursive Deep Models for Semantic Compositionality Over a
    Sentiment Treebank", EMNLP 2013.

    Args:
        trees: a folder with train.txt, dev.txt and test.txt, the original trees; without it
            the original archive is downloaded.
        **settings: of a tensorflow-datasets builder.
    """

    name = "sst5"
    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, *, trees: Path | None = None, **settings):
        self._trees = trees
        super().__init__(**settings)

    def _info(self) -> tfds.core.DatasetInfo:
        label = tfds.features.ClassLabel(names=GRADES)
        features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "label": label})
        return self.dataset_info_from_configs(features=features, supervised_keys=("text", "label"))

    def _split_generators(self, dl_manager):
        trees = self._trees
        if trees is None or not trees.is_dir():
            trees = Path(dl_manager.download_and_extract(URL)) / "trees"
        files = {"train": "train", "validation": "dev", "test": "test"}
        return {split: self._generate_examples(trees / f"{f}.txt") for split, f in files.items()}

    def _generate_examples(self, path: Path) -> Iterator[tuple[int, dict]]:
        for i, line in enumerate(path.read_text(encoding="utf-8").split("\n")):
            if line:
                yield i, {"text": sentence(line), "label": int(line[1])}


def sentence(tree: str) -> str:
    """The words of a tree in brackets, `(3 (2 It) (4 works))`, with the PTB's escapes undone."""
    words = re.findall(r"\(\d ([^() ]+)\)", tree)
    return " ".join(ESCAPES.get(word, word).replace("\\", "") for word in words)


def load_splits(data_dir: Path) -> Splits:
    """Texts and grades of SST-5; prepares them if `data_dir` has the original trees in sst/trees/.

    UserError if neither the trees nor the prepared dataset are there.
    """
    trees = data_dir / "sst" / "trees"
    builder = Sst5(trees=trees, data_dir=str(data_dir))
    if trees.is_dir() and not builder.data_path.exists():
        tfds.disable_progress_bar()  # it takes seconds, and stderr is for errors
        builder.download_and_prepare()
    remedy = f"unpack trees/ of {URL} into {trees.parent}"
    return whole_splits(builder, ("text", "label"), remedy)
