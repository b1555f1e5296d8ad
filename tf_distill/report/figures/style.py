"""How all figures look: sizes, colours, fonts, on white paper and on a dark screen."""

import contextlib
import functools
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tf_distill.common import brief, say

COLUMN, PAGE = 3.4, 6.8
"""Widths in inches: a column and both columns of a paper."""
DPI = 200
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Told apart by colour-blind eyes; figures name them C0, C1, ..."""
ON_DARK = ("#56B4E9", "#E69F00", "#2FC39A", "#DE9BC0", "#F0E442", "#8FC7EE")
_SHARED: dict[str, Any] = {
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), 8),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **{"axes.axisbelow": True, "grid.alpha": 0.25, "grid.linewidth": 0.5, "lines.linewidth": 1.2},
    "text.parse_math": False,  # names of classes may hold a dollar
}
FALLBACKS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback"),
    *("IPAGothic", "TakaoGothic", "NanumGothic", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
)
"""Fonts with the letters of Chinese, Japanese and Korean, of Linux, Windows and macOS."""
MISSING = re.compile(r"Glyph (\d+) .*missing from")
_INK = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
LIGHT: Any = {**_SHARED, "axes.prop_cycle": cycler(color=OKABE_ITO)}
DARK: Any = {
    **_SHARED,
    **dict.fromkeys(_INK, "#D5D8DC"),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    "axes.prop_cycle": cycler(color=ON_DARK),
    "grid.color": "#8A9099",
}


def render(draw: Callable[[], Figure], style: Any = LIGHT) -> bytes:
    """Draws a figure in a style and returns it as PNG."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({**style, "font.family": families()}):
        draw().savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


@functools.cache
def families() -> list[str]:
    """Matplotlib's own font, and behind it those of FALLBACKS that are installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in FALLBACKS if name in installed)]


@contextlib.contextmanager
def missing_letters_told() -> Iterator[None]:
    """One line for all letters of the figures in the block that no font has."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    found = [(w, MISSING.match(str(w.message))) for w in caught]
    if letters := "".join(dict.fromkeys(chr(int(m[1])) for _, m in found if m)):
        say(f"no font for {brief(letters)} in the figures: install one, such as Noto Sans CJK")
    for w, match in found:
        if not match:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)


def sheet(width: float, height: float) -> Figure:
    """An empty figure of a size in inches, whose parts are laid out without overlaps."""
    return Figure((width, height), layout="constrained", dpi=DPI)


def plot(height: float) -> tuple[Figure, Axes]:
    """A figure of a column's width with one axis and its grid."""
    figure = sheet(COLUMN, height)
    axis = figure.subplots()
    axis.grid()
    return figure, axis


def ink() -> str:
    """The colour of text in the style in use."""
    return matplotlib.rcParams["text.color"]


def is_dark() -> bool:
    """Whether the style in use is for a dark screen."""
    return sum(matplotlib.colors.to_rgb(ink())) > 1.5


def shades(count: int) -> np.ndarray:
    """Colours `[count, 4]` of an order, all of which stand out in the style in use."""
    ends = (0.4, 1.0) if is_dark() else (0.1, 0.8)
    return matplotlib.colormaps["viridis"](np.linspace(*ends, count))


def top_labels(label: np.ndarray, classes: Sequence[str], most: int = 3) -> str:
    """A label `[outputs]` in words: the top classes with their values, one a line.

    For a binary task, whose labels have one value, that is the value with what its ends mean.
    """
    if len(label) == 1:
        return f"{label[0]:+z.2f}\n0 = {classes[0]}\n1 = {classes[1]}"
    order = np.argsort(-label)[:most]
    return "\n".join(f"{classes[i]}  {label[i]:z.2f}" for i in order)


def percent_axis(axis: Axes, which: str = "y", measure: str = "accuracy", of: str = "") -> None:
    """Shows the fractions of an axis as percentages of a measure, `of` something."""
    scale = axis.yaxis if which == "y" else axis.xaxis
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.6g}"))
    scale.set_label_text(f"{measure} {of}".rstrip() + ", %")


def whole_numbers() -> MaxNLocator:
    """Ticks of an axis that counts."""
    return MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)


def counting_axis(axis: Axes, label: str) -> None:
    """Shows whole numbers below an axis."""
    axis.set_xlabel(label)
    axis.xaxis.set_major_locator(whole_numbers())


def legend_above(axis: Axes) -> None:
    """The legend over an axis, where no curve is."""
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, ncols=2)


def log_axis(axis: Axes, which: str, ticks: Iterable[float] | None = None) -> None:
    """A logarithmic axis with plain numbers, not powers."""
    axis.set_xscale("log") if which == "x" else axis.set_yscale("log")
    scale = axis.yaxis if which == "y" else axis.xaxis
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    scale.set_major_formatter(plain)
    low, high = scale.get_view_interval()
    scale.set_minor_formatter(plain if high / low < 10 else FuncFormatter(lambda *_: ""))
    if ticks is not None:
        scale.set_ticks(list(ticks))
        scale.set_ticks([], minor=True)


def reference(axis: Axes, value: float | None, which: str = "y") -> None:
    """A dashed line at the accuracy of training on the original data, where it is known."""
    if value is None:
        return
    line = axis.axhline if which == "y" else axis.axvline
    words = f"original data, {100 * value:.1f}"
    line(value, color=ink(), linestyle=(0, (4, 2)), linewidth=0.8, label=words, zorder=1.5)
