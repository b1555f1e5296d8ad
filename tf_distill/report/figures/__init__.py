"""The figures of a run: pure functions from data to a matplotlib Figure.

`gallery` is the table of them: which a run has, and what each shows.
"""
