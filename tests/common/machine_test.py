"""What the machine has, read from files as Linux writes them."""

import numpy as np
import pytest

from tf_distill.common import machine

GIB = 2**30


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A machine with 8 GiB free and no limit, on which this process holds 1 GiB and held 2."""
    monkeypatch.setattr(machine, "STATUS", tmp_path / "status")
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    (tmp_path / "status").write_text(f"Name:\tpython\nVmHWM:\t{2 * 2**20} kB\nVmRSS:\t{2**20} kB\n")
    memory = f"MemTotal: {16 * 2**20} kB\nMemAvailable:   {8 * 2**20} kB\n"
    (tmp_path / "meminfo").write_text(memory)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{3 * GIB}\n")
    return tmp_path


def test_what_is_held_and_what_is_free_can_be_had(files):
    assert machine.resident() == GIB
    assert machine.most_resident() == 2 * GIB
    assert machine.room() == 9 * GIB
    # A container has what its limit leaves.
    (files / "memory.max").write_text(f"{4 * GIB}\n")
    assert machine.room() == 2 * GIB
    (files / "memory.stat").write_text(f"active_file 7\ninactive_file {GIB}\n")
    assert machine.room() == 3 * GIB  # files that are cached give way
    (files / "memory.current").write_text(f"{6 * GIB}\n")
    (files / "memory.stat").unlink()
    assert machine.room() == GIB


def test_where_nothing_tells_it_is_all_of_the_machine(files, monkeypatch):
    for path in files.iterdir():
        path.unlink()
    assert machine.resident() == machine.TENSORFLOW
    assert machine.most_resident() is None
    monkeypatch.setattr(machine.os, "sysconf", lambda name: 2**12 if "SIZE" in name else 2**21)
    assert machine.room() == 8 * GIB
    monkeypatch.delattr(machine.os, "sysconf")
    assert machine.room() is None


def test_this_machine_tells_sound_numbers():
    before = machine.resident()
    held = np.ones(50_000_000, np.uint8)
    assert machine.resident() - before == pytest.approx(len(held), rel=0.3)
    assert before < machine.room()


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {1, 3, 5}, raising=False)
    assert machine.cores() == 3
    monkeypatch.delattr(machine.os, "sched_getaffinity")
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 7)
    assert machine.cores() == 7
