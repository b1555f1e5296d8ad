"""Independent runs: every one belongs to one shard, and each flag file gets a folder."""

import json

import pytest

from tf_distill import jobs
from tf_distill.common import UserError
from tf_distill.jobs import Shard


@pytest.fixture
def here(monkeypatch):
    """Settings are checked in this process."""
    monkeypatch.setattr(jobs, "_configure_apart", jobs._configure)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_all_shards_together_have_each_item_once(count):
    items = list("abcde")
    parts = [Shard.parse(f"{i}/{count}").of(items) for i in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "1/0", "a/b", "1/2/3", "1.5/2"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UserError, match=r"shard=.*, expected i/n"):
        Shard.parse(text)


def flag_files(tmp_path, **lines):
    paths = [tmp_path / f"{name}.flags" for name in lines]
    for path, text in zip(paths, lines.values(), strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


def test_each_file_and_seed_is_a_run_and_a_failure_stops_no_other(tmp_path, cli, monkeypatch, here):
    ran, real = [], jobs._run

    def run(command):
        ran.append(command[command.index("tf_distill.main") + 1 :])
        return real([*command, "--mode=compare"]) if "wrong" in command[3] else 0

    monkeypatch.setattr(jobs, "_run", run)
    files = flag_files(tmp_path, wrong="", good="--run_dir=elsewhere\n")
    settings = (f"--run_dir={tmp_path}", "--seeds=4,5", "--epochs=1", "--shard=1/2")
    ended = cli("--mode=each", *settings, *files)
    assert ran == [
        [f"--flagfile={path}", "--epochs=1", f"--run_dir={tmp_path / name}", "--seed=4"]
        for path, name in zip(files, ("wrong_seed4", "good_seed4"), strict=True)
    ]
    assert ended.status == 2
    assert "expected some, such as runs/*" in ended.err  # the program was started
    assert ended.err.splitlines()[-1] == (
        "tf_distill: error: 1 of 2 runs failed, as said above: wrong_seed4; the same command tries "
        "them again and keeps the finished ones"
    )


@pytest.mark.long
def test_the_program_is_run(tmp_path, cli, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    files = flag_files(tmp_path, questions="# words\n--dataset=toy_questions\n--outer_steps=2\n")
    assert cli("--mode=each", f"--run_dir={tmp_path}", "--seeds=4", *files).status == 0
    results = json.loads((tmp_path / "questions_seed4" / "results.json").read_text())
    assert (results["seed"], results["outer_steps"]) == (4, 2)


@pytest.mark.parametrize("files", [[], ["nothing.flags"]])
def test_without_flag_files_there_is_one_line(files):
    with pytest.raises(UserError, match="expected some, such as flags/"):
        jobs.run_each(files, [], {}, Shard(1, 1), dict)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("--outer_step=3", "Unknown command line flag 'outer_step'"),
        ("--steps=two", "flag --steps=two"),
        ("--steps=0", "steps=0, expected a whole number from 1"),
        ("--dataset=digit", "'digit'"),
    ],
)
def test_a_typo_in_the_last_file_is_found_first(tmp_path, cli, monkeypatch, here, line, text):
    monkeypatch.setattr(jobs, "_run", lambda command: pytest.fail("it ran"))
    files = flag_files(tmp_path, first="--dataset=digits\n", last=line)
    ended = cli("--mode=each", f"--run_dir={tmp_path}/runs", *files)
    assert ended.status == 2
    assert ended.err.startswith(f"tf_distill: error: {files[1]}: ")
    assert text in ended.err
    assert ended.err.count("\n") == 1


def test_one_run_is_one_and_seeds_have_a_mean(tmp_path, cli, monkeypatch, here):
    monkeypatch.setattr(jobs, "_run", lambda command: 0)
    (path,) = flag_files(tmp_path, one="--dataset=digits\n")
    ended = cli("--mode=each", f"--run_dir={tmp_path}/runs", path)
    assert ended.out.splitlines() == ["one:", f"1 run is in {tmp_path}/runs"]
    ended = cli("--mode=each", "--seeds=0,1", f"--run_dir={tmp_path}/runs", path)
    hint = f"--mode=compare {tmp_path}/runs/* shows them with their means"
    assert ended.out.splitlines()[-1] == f"2 runs are in {tmp_path}/runs; {hint}"
