"""TODO common."""

from tf_distill.common.errors import (
    Diverged,
    Interrupted,
    UserError,
    WorkerLost,
    brief,
    no_flag_file,
    reason,
    unknown_name,
    without_operation,
    words_of_python,
)
from tf_distill.common.files import (
    ELSEWHERE,
    bounded_lines,
    clear_parts,
    folder_lock,
    npz_names,
    os_errors,
    parse_json,
    read_json,
    read_npz_arrays,
    remove,
    whole,
    write_bytes,
    write_json,
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
    minutes,
    network_name,
    output_names,
    percent,
    shown_part,
    size_of_set,
    spread,
)
