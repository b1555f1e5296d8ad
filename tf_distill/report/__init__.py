"""What a person reads: the report of a run, and several runs in one table.

- `record`: what a folder's files say, and what follows from it: ratios r_M, sizes d_A.
- `scores`: DD-Ranking's, from the accuracies of a comparison.
- `report`: `report.write(folder)` draws the figures and writes report.html.
- `table`: several runs in one table, as text, CSV or HTML (`--mode=compare`).
- `pages`: HTML from `templates/`.
- `figures/`: the figures; `figures/gallery.py` lists all of them.

This door, `record`, `table` and `pages` load neither TensorFlow nor matplotlib.
"""

from tf_distill.report.record import Record, distillation_ratio, weakest_classes, with_ratios
