"""Draws Figures 3 and 4 of the paper from points that are learned, not placed by hand.

  python examples/iris.py OUTDIR

Writes iris_four_ways.png and .gif, iris_two_points.png and .gif to the folder, and prints
how many of the 150 flowers the points of each way classify right. docs/neighbours.md tells more.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

from tf_distill.common import UserError, cli, startup

STEPS = 300
ROWS = (0, 10, 40, STEPS)
"""Steps of the four ways that are drawn."""
PANELS = (0, 60, 75, STEPS)
"""Steps of the two points that are drawn."""


def main(argv: list[str]) -> None:
    """Learns the points, writes the pictures and prints the accuracies."""
    if len(argv) != 2:
        raise UserError(f"got {len(argv) - 1} arguments, expected one: the folder for the figures")
    folder = Path(argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with startup.quiet():
        import iris_figures as figures
        import iris_points as points
    data = points.flowers()
    ways, two = points.four_ways(data, STEPS), points.two_points(data, STEPS)
    report({**ways, "two points": two}, points, data)
    figures.draw_four_ways(ways, ROWS, data).savefig(folder / "iris_four_ways.png")
    figures.draw_two_points(two, PANELS, data).savefig(folder / "iris_two_points.png")
    figures.animate_four_ways(ways, frames(32), data, folder / "iris_four_ways.gif")
    figures.animate_two_points(two, frames(48), data, folder / "iris_two_points.gif")


def report(ways: dict[str, Any], points: ModuleType, data: Any) -> None:
    """Prints a line for each way: correct flowers before and after, and the loss after."""
    right = points.every_draw(data)
    print(f"all {right.size:,} draws of three flowers: mean {right.mean():.1f}, best {right.max()}")
    print(f"{'way':<12} {'start':>5} {'end':>5} {'accuracy':>9} {'loss':>7}")
    for way, history in ways.items():
        start, end = (points.correct(history[i], data) for i in (0, -1))
        loss = float(points.loss(*history[-1], data.x, data.y))
        print(f"{way:<12} {start:>5} {end:>5} {end / len(data.y):>9.2%} {loss:>7.3f}")


def frames(count: int) -> list[int]:
    """Steps for the frames of an animation: many at first, where most happens."""
    return [round(STEPS * (i / (count - 1)) ** 1.7) for i in range(count)]


if __name__ == "__main__":
    cli.run(main, "iris")
