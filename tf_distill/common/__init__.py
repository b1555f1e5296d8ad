"""The ground of the house: what every room uses, and nothing about distillation.

| file | what one finds there |
| --- | --- |
| errors | `UserError` and the other ways a run ends early; names with "did you mean" |
| cli | the frame of every program: flags, exit status, one line for a mistake |
| startup | settings before TensorFlow starts, and a quiet start |
| files | files written whole or not at all, readers of JSON, .npz and .gz, a folder's lock |
| schemas | the fields that the JSON files of a run's folder must have |
| seeds | random streams as a function of seed and index |
| progress | lines and bars on the terminal |
| wording | numbers in words |
| machine | cores and memory |

Nothing here imports TensorFlow: `--help` and `--mode=compare` answer at once.
"""

from tf_distill._version import __version__
from tf_distill.common.errors import (
    Diverged,
    Interrupted,
    NotEqual,
    UserError,
    WorkerLost,
    brief,
    no_flag_file,
    reason,
    unknown_name,
    without_operation,
)
from tf_distill.common.files import (
    ELSEWHERE,
    clear_parts,
    folder_lock,
    kind_of,
    os_errors,
    read_json,
    read_lines,
    read_npz_arrays,
    remove,
    unpacked,
    whole,
    write_bytes,
    write_json,
    write_new,
    write_text,
    writing_to,
)
from tf_distill.common.progress import Progress, Seldom, counted, named, say
from tf_distill.common.schemas import (
    GROUPS,
    check_reported,
    check_schema,
    read_checked,
    read_metrics,
)
from tf_distill.common.seeds import Stream, numpy_generator, seed_key
from tf_distill.common.wording import (
    OWN,
    accuracy_over,
    accuracy_words,
    count,
    full_training,
    is_own_network,
    measure_of,
    minutes,
    network_name,
    output_names,
    percent,
    shown_part,
    size_of_set,
    spread,
    spread_words,
)
