"""The benchmark's results as tables in Markdown."""

from collections.abc import Sequence
from typing import Any

ROWS = ("network", "inner_steps", "samples_per_step", "batch", "ours_s", "torch_s", "ratio",
        "cpu_ratio", "share_of_peak", "first_call_s", "peak_mb")  # fmt: skip
GROWTH = ("network", "inner_steps", "first_call_s", "step_s", "peak_mb")
EVALUATION = ("network", "networks", "ours_s", "torch_s", "ratio")
HEADS = {
    "network": "network",
    "inner_steps": "inner steps",
    "samples_per_step": "samples a step",
    "batch": "real batch",
    "ours_s": "ours, s",
    "torch_s": "PyTorch, s",
    "ratio": "times faster",
    "cpu_ratio": "by CPU time",
    "share_of_peak": "share of peak",
    "first_call_s": "first call, s",
    "peak_mb": "peak, MB",
    "step_s": "step, s",
    "networks": "networks",
}


def markdown(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """A table of some columns; a missing number is a dash."""
    lines = [[HEADS[c] for c in columns], ["---"] * len(columns)]
    lines += [[cell(c, row.get(c)) for c in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(column: str, value: Any) -> str:
    """A number as its column shows it."""
    if value is None:
        return "-"
    if column == "share_of_peak":
        return f"{100 * value:.0f}%"
    if column == "peak_mb":
        return f"{value:.0f}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def report(results: dict[str, Any]) -> str:
    """All of a benchmark's results."""
    machine = results["machine"]
    parts = [
        f"{machine['cores']} cores, {machine['threads']} threads, "
        f"{machine['peak_gflops']:.0f} GFLOP/s in float32 products",
        markdown(ROWS, results["rows"]),
    ]
    if results.get("growth"):
        parts.append(markdown(GROWTH, results["growth"]))
    if results.get("evaluation"):
        parts.append(markdown(EVALUATION, [results["evaluation"]]))
    return "\n\n".join(parts)
