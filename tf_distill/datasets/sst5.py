"""SST-5 for tensorflow-datasets: the Stanford Sentiment Treebank's sentences in five grades."""

import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow_datasets as tfds

URL = "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip"
GRADES = ("very negative", "negative", "neutral", "positive", "very positive")
ESCAPES = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


class Sst5(tfds.core.GeneratorBasedBuilder):
    """Sentences with the grade of their tree's root.

    R. Socher et al., "Recursive Deep Models for Semantic Compositionality Over a
    Sentiment Treebank", EMNLP 2013.

    Args:
        trees: a folder with train.txt, dev.txt and test.txt, the original trees; where
            there is none the original archive is downloaded.
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
