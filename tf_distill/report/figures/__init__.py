"""The figures of a run: pure functions from data to a matplotlib Figure.

- `gallery`: the list of all figures; a new figure gets an entry there.
- `samples`: distilled images, sentences, labels.
- `curves`: one number over another: outer steps, inner steps, learning rates, sizes.
- `comparison`: baselines, controls, networks, variants.
- `style`: colours, fonts, axes, and `render`, which makes a PNG on light or dark.
"""

from tf_distill.report.figures.gallery import Plate, plates
from tf_distill.report.figures.style import DARK, missing_letters_told, render
