"""What the paper's evaluation leaves in a run's folder, invented: comparison, sweep, ranking."""

import json
from pathlib import Path

import numpy as np

BASELINES = ("random_real", "optimized_real", "k_means", "average", "random_real_neighbours",
             "k_means_neighbours")  # fmt: skip
CONTROLS = ("learned_labels", "shuffled", "sgd", "hard_labels", "decoded_words")
ORIGINAL = 0.8


def row(name: str, group: str, mean: float, networks: int = 20) -> dict:
    """A row of comparison.json."""
    noise = np.random.default_rng(len(name)).normal(0, 0.02, networks) if networks > 1 else [0]
    accuracies = (mean + np.asarray(noise)).tolist()
    return {
        "name": name, "group": group, "title": name.replace("_", " "),
        "how": f"How {name} was trained.", "accuracies": accuracies,
        "mean": float(np.mean(accuracies)), "std": float(np.std(accuracies)), "networks": networks,
    }  # fmt: skip


def comparison() -> dict:
    """A whole comparison."""
    rows = [row("distilled", "distilled", 0.75, 1)]
    rows += [row(name, "baseline", 0.4 + 0.05 * i) for i, name in enumerate(BASELINES)]
    rows += [row(name, "control", 0.3 + 0.05 * i) for i, name in enumerate(CONTROLS)]
    rows += [row("bilstm", "network", 0.2)]
    curve = {"step": [0, 1, 2, 3], "mean": [0.2, 0.5, 0.7, 0.75], "std": [0.1, 0.05, 0.02, 0.01],
             "networks": 20}  # fmt: skip
    return {"settings": {"baseline_sets": 20}, "curve": curve, "rows": rows}


def sweep() -> dict:
    """A sweep over four sizes."""
    means = {1: 0.3, 2: 0.5, 5: 0.7, 20: 0.78}
    sizes = [
        {"samples": n, "mean": m, "std": 0.01, "networks": 5, "seconds": 60 * n,
         "run_dir": f"size_{n}"}
        for n, m in means.items()
    ]  # fmt: skip
    settings = {"dataset": "digits", "model": "lenet"}
    return {"settings": settings, "original": {"accuracy": ORIGINAL}, "sizes": sizes}


def ranking() -> dict:
    """Three variants of a network."""
    variants = [
        {"name": f"width {w}", "parameters": 1000 * w, "full": {"mean": 0.9 + 0.01 * w},
         "distilled": {"mean": 0.7 + 0.02 * w, "std": 0.01, "networks": 5},
         "distilled_seconds": 2.0, "full_seconds": 90.0}
        for w in (1, 2, 3)
    ]  # fmt: skip
    return {"variants": variants, "spearman": 0.83, "kendall": 0.7, "networks": 5}


def write(folder: Path, **contents: dict) -> None:
    """Writes each as a JSON file of its name."""
    for name, value in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def add_original(folder: Path) -> None:
    """Adds the original accuracy to a run's results."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    write(folder, results={**results, "original": {"accuracy": ORIGINAL}})
