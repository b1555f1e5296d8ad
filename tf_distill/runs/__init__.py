"""One run and its folder.

- `run`: `Run`, a distillation with all that it depends on; both doors make one, the command line
  by `configure` or `recall` and `named_run`.
- `experiment`: `carry_out(run)` distills, evaluates and writes; `finished_run(run)` reads it again.
- `folder`: where a run keeps its files, `RunFolder` or `InMemory`; its checkpoints and history.
- `warm_start`: a run that continues from a distilled set.
- `memory`: how much memory a run takes, and whether there is enough.
- `duration`: how long a run takes, from a few steps that are timed.
- `results`: the results in numbers and words.
"""

from tf_distill.runs.experiment import (
    Finished,
    carry_out,
    describe_estimate,
    evaluation,
    finished_run,
    new_distillation,
    write_model,
)
from tf_distill.runs.folder import (
    Checkpoints,
    Files,
    InMemory,
    RunFolder,
    check_settings,
    handling,
)
from tf_distill.runs.results import describe_results
from tf_distill.runs.run import Run, configure, named_run, only_resumes, recall
from tf_distill.runs.warm_start import prepared
