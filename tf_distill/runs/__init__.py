"""One run and its folder.

- `run`: `Run`, a distillation with all that it depends on; both doors make one, the command line
  by `configure` or `recall` and `named_run`.
- `experiment`: `carry_out(run)` distills, evaluates and writes; `read(run)` has what it wrote.
- `folder`: where a run keeps its files, `RunFolder` or `InMemory`, and its history.
- `checkpoints`: what is saved on the way, and what SIGINT and SIGTERM do then.
- `warm_start`: a run that continues from a distilled set.
- `memory`: how much memory a run takes, and whether there is enough.
- `results`: the results in numbers and words.
- `jobs`: several runs one after the other, or shared by processes.

This door imports nothing: `jobs` must not load TensorFlow.
"""
