"""Independent runs: every one belongs to one shard, and each flag file gets a folder."""

import json

import pytest

from tf_distill import jobs
from tf_distill.errors import UserError
from tf_distill.jobs import Shard


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_all_shards_together_have_each_item_once(count):
    items = list("abcde")
    parts = [Shard.parse(f"{i}/{count}").of(items) for i in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.5/2"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UserError, match=r"--shard is .*, expected i/n"):
        Shard.parse(text)


def test_each_flag_file_and_seed_is_run_and_a_failure_stops_no_other(tmp_path, cli, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    flags = tmp_path / "questions.flags"
    flags.write_text("# words\n--dataset=toy_questions\n--outer_steps=2\n--run_dir=elsewhere\n")
    wrong = tmp_path / "wrong.flags"
    wrong.write_text("--dataset=toy_question\n")
    runs = tmp_path / "runs"
    command = ("--mode=each", f"--run_dir={runs}", "--seeds=4,5", "--epochs=1")
    ended = cli(*command, "--shard=1/2", str(wrong), str(flags))
    assert ended.status == 2
    assert "unknown --dataset 'toy_question'" in ended.err
    assert ended.err.splitlines()[-1] == (
        "tf_distill: error: 1 of 2 runs failed, as said above: wrong_seed4; the same command does "
        "them again and leaves what is finished"
    )
    results = json.loads((runs / "questions_seed4" / "results.json").read_text())
    assert (results["seed"], results["epochs"], results["outer_steps"]) == (4, 1, 2)
    assert not (runs / "questions_seed5").exists()


@pytest.mark.parametrize("files", [[], ["nothing.flags"]])
def test_without_flag_files_there_is_one_line(files):
    with pytest.raises(UserError, match="expected some, such as flags/"):
        jobs.run_each(files, [], {}, Shard(1, 1))
