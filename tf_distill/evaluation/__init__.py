"""How good a distilled set is: what a user asks after a run.

comparison: the set beside its rows (`mode=baselines`, `Result.compare`), and its curve.
baselines: rows of small real sets, such as random draws or averages; a new baseline goes here.
controls: rows of the set with one thing changed, and of the set in other networks.
bench: tests small sets under equal conditions, and tunes their learning rates; the form of a row.
original: the accuracy after training on all of the data, which ratios are to.
verification: does a set give its stored accuracy here.
audit: what a set tells of its training examples.
sweep: sets of several sizes. ranking: do variants of a network rank as after full training?

Import the modules themselves: all of them import TensorFlow.
"""
