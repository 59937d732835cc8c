"""The file: batches, retention, losses, other processes, crashes, forks."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from guarita.decision_log import DecisionLog, LogUnavailable, Loss, find, lost, recent
from guarita.profiles.minhakonta import MINHA_KONTA
from tests.decision_log.scenes import AT, CLIENT_ID, REFUSALS, Decided

NEVER = 3600.0  # a flush interval no test lives to see: what is written, `flush` wrote
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.db"


@pytest.fixture
def log(path: Path) -> Iterator[DecisionLog]:
    log = DecisionLog(path, flush_s=NEVER, clock=lambda: AT)
    yield log
    log.close()


def add(log: DecisionLog, one: Decided, status: int = 0) -> None:
    log.add(MINHA_KONTA, one.route_class, one.facts, one.decision, status)


def rays(path: Path) -> list[str]:
    return [entry.ray for entry in recent(path, limit=10**9)]


def integrity(path: Path) -> str:
    db = sqlite3.connect(path)
    try:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        db.close()


def test_ten_thousand_and_each_is_found(log: DecisionLog, path: Path) -> None:
    scenes = [Decided(ray=f"ray-{i}", at=AT + i / 1000) for i in range(100)]
    for i in range(10_000):
        one = scenes[i % 100]
        add(log, one)
    log.flush()
    assert log.waiting == 0
    assert len(rays(path)) == 10_000
    for i in range(100):
        assert [entry.ray for entry in find(path, f"ray-{i}")] == [f"ray-{i}"] * 100
    assert find(path, "ray-100") == []


@pytest.mark.parametrize("count", [1, 3, 5, 63, 255, 256, 257, 1001, 2049])
def test_batches_of_any_size_are_complete_and_in_order(
    log: DecisionLog, path: Path, count: int
) -> None:
    one = Decided()
    for i in range(count):
        add(log, one, i)
    log.flush()
    assert [entry.status for entry in find(path, "ray-0001")] == list(range(count))


def test_a_ray_of_a_proxy_may_name_several_requests_and_be_long(
    log: DecisionLog, path: Path
) -> None:
    add(log, Decided(ray="r" * 200))
    add(log, Decided(ray="r" * 200, **REFUSALS["signature.mismatch"]), 401)
    log.flush()
    assert [entry.decision for entry in find(path, "r" * 200)] == ["admit", "refuse"]


def test_recent(log: DecisionLog, path: Path) -> None:
    add(log, Decided(ray="admitted", at=AT))
    add(log, Decided(ray="mismatch", at=AT + 1, **REFUSALS["signature.mismatch"]), 401)
    add(log, Decided(ray="wrong-secret", at=AT + 2, **REFUSALS["api_key.invalid"]), 401)
    add(log, Decided(ray="nobody", at=AT + 3, **REFUSALS["api_key.missing"]), 401)
    log.flush()
    assert rays(path) == ["nobody", "wrong-secret", "mismatch", "admitted"]
    assert [entry.ray for entry in recent(path, limit=2)] == ["nobody", "wrong-secret"]
    assert [entry.ray for entry in recent(path, decision="admit")] == ["admitted"]
    mine = recent(path, client_id=CLIENT_ID)
    assert [entry.ray for entry in mine] == ["wrong-secret", "mismatch", "admitted"]
    assert recent(path, decision="refuse", client_id=CLIENT_ID, limit=1)[0].ray == "wrong-secret"
    assert recent(path, client_id="cli_other") == []


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="there is no decision log at"):
        find(tmp_path / "decisions.db", "ray")
    assert list(tmp_path.iterdir()) == []


def test_another_file(path: Path) -> None:
    path.write_bytes(b"x" * 4096)
    with pytest.raises(LogUnavailable, match="is not a decision log"):
        recent(path)
    with pytest.raises(LogUnavailable, match="cannot write"):
        DecisionLog(path)
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE decisions (x)")
    db.close()
    with pytest.raises(LogUnavailable, match="but not a decision log"):
        recent(path)
    with pytest.raises(LogUnavailable, match="but not a decision log"):
        DecisionLog(path)


def test_a_log_of_a_later_version(log: DecisionLog, path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(LogUnavailable, match="version 99"):
        recent(path)


def test_a_missing_directory_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="No such file or directory"):
        DecisionLog(tmp_path / "missing" / "decisions.db")


def test_an_empty_log_is_a_log(log: DecisionLog, path: Path) -> None:
    assert recent(path) == []
    assert lost(path) == []


def test_only_the_owner_reads_it(log: DecisionLog, path: Path) -> None:
    add(log, Decided())
    log.flush()
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


def test_a_closed_log_can_be_read_and_opens_again(log: DecisionLog, path: Path) -> None:
    add(log, Decided(ray="first"))
    log.close()
    assert rays(path) == ["first"]
    add(log, Decided(ray="second"))
    log.close()
    assert sorted(rays(path)) == ["first", "second"]


def test_the_thread_writes_by_itself(path: Path) -> None:
    log = DecisionLog(path, flush_s=0.01)
    add(log, Decided(at=2_000_000_000.0))
    thread = log._writer.thread
    assert thread is not None
    assert thread.daemon
    while not find(path, "ray-0001"):  # the test's timeout is the suite's
        thread.join(0.01)
    log.close()
    assert not thread.is_alive()


def test_a_forgotten_log_is_drained(path: Path) -> None:
    log = DecisionLog(path, flush_s=NEVER, clock=lambda: AT)
    add(log, Decided())
    thread = log._writer.thread
    del log
    assert rays(path) == ["ray-0001"]
    assert thread is not None
    assert not thread.is_alive()


def test_old_entries_go(path: Path) -> None:
    now = AT
    log = DecisionLog(path, flush_s=NEVER, keep_days=7, clock=lambda: now)
    for day in range(10):
        add(log, Decided(ray=f"day-{day}", at=AT + day * 86_400))
    log.flush()
    assert len(rays(path)) == 10
    now = AT + 9 * 86_400
    log.flush()  # nothing new: age alone is reason enough
    assert rays(path) == [f"day-{day}" for day in range(9, 1, -1)]
    log.close()


def test_the_newest_rows_stay(path: Path) -> None:
    log = DecisionLog(path, flush_s=NEVER, max_rows=100, batch=30, clock=lambda: AT)
    for i in range(1000):
        add(log, Decided(ray=f"ray-{i}", at=AT + i))
    log.flush()
    assert rays(path) == [f"ray-{i}" for i in range(999, 899, -1)]
    log.close()


def test_deletion_is_bounded_and_catches_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guarita.decision_log.writer.PRUNED_AT_ONCE", 10)
    now = AT
    log = DecisionLog(path, flush_s=NEVER, clock=lambda: now)
    one = Decided(at=AT)
    for _ in range(45):
        add(log, one)
    log.flush()
    now = AT + 8 * 86_400
    left = []
    for _ in range(6):
        log.flush()
        left.append(len(rays(path)))
    assert left == [35, 25, 15, 5, 0, 0]
    log.close()


def test_while_the_file_is_away_the_oldest_are_dropped_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = DecisionLog(path, flush_s=NEVER, max_waiting=50, batch=20, clock=lambda: AT)
    away = path.parent.rename(path.parent.with_name("away"))
    for i in range(50):
        add(log, Decided(ray=f"ray-{i}", at=AT + i))
    with caplog.at_level(logging.WARNING, "guarita.decision_log"):
        log.flush()
        log.flush()
    assert log.waiting == 50
    for i in range(50, 80):
        add(log, Decided(ray=f"ray-{i}", at=AT + i))
    assert (log.waiting, log.dropped) == (50, 30)
    assert [record.levelname for record in caplog.records] == ["WARNING"], "rate-limited"
    assert "cannot be written" in caplog.text
    assert "50 entries wait, 0 were dropped" in caplog.text

    away.rename(path.parent)
    caplog.clear()
    log.flush()
    assert (log.waiting, log.dropped) == (0, 0)
    assert rays(path) == [f"ray-{i}" for i in range(79, 29, -1)]
    assert lost(path) == [Loss(AT, AT + 29, 30)]
    assert "30 entries were lost" in caplog.text
    log.close()


def test_a_log_closed_while_the_file_is_away_says_what_it_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = DecisionLog(path, flush_s=NEVER)
    add(log, Decided())
    away = path.parent.rename(path.parent.with_name("away"))
    log.close()
    assert "closed with 1 entries not written" in caplog.text
    away.rename(path.parent)
    log.close()


def test_a_removed_file_is_made_again(log: DecisionLog, path: Path) -> None:
    add(log, Decided(ray="before"))
    log.flush()
    for file in path.parent.iterdir():
        file.unlink()
    add(log, Decided(ray="after"))
    log.flush()
    assert rays(path) == ["after"]
    assert integrity(path) == "ok"


def test_a_locked_file_loses_nothing(
    log: DecisionLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guarita.decision_log.writer.LOCK_TIMEOUT_S", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    add(log, Decided(ray="one"))
    add(log, Decided(ray="two", at=AT + 1))
    log.flush()
    assert log.waiting == 2
    other.execute("ROLLBACK")
    other.close()
    log.flush()
    assert rays(path) == ["two", "one"]


def test_a_reader_does_not_disturb_the_writer(log: DecisionLog, path: Path) -> None:
    add(log, Decided(ray="one"))
    log.flush()
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")  # in the middle of reading
    assert reader.execute("SELECT ray FROM decisions").fetchall() == [("one",)]
    add(log, Decided(ray="two", at=AT + 1))
    log.flush()
    assert log.waiting == 0
    assert reader.execute("SELECT ray FROM decisions").fetchall() == [("one",)]
    reader.close()
    assert rays(path) == ["two", "one"]


def python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of its own, with `log`, `add` and `one` as its first lines make them."""
    start = """
        import os, sys
        from pathlib import Path
        from guarita.decision_log import DecisionLog
        from tests.decision_log.scenes import AT, Decided
        from tests.decision_log.test_file import add
        log = DecisionLog(Path(sys.argv[1]), flush_s=float(sys.argv[2]), clock=lambda: AT)
    """
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(start) + textwrap.dedent(code),
            *map(str, arguments),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def test_a_killed_process_loses_the_unwritten_tail_only(path: Path) -> None:
    code = """
        for i in range(3000):
            add(log, Decided(ray=f"kept-{i}"))
        log.flush()
        print("flushed", flush=True)
        while True:
            add(log, Decided(ray="tail"))
    """
    with python(code, path, 0.001) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flushed\n"
        while len(find(path, "tail")) < 200:
            pass
        process.send_signal(signal.SIGKILL)  # in the middle of writing
    assert integrity(path) == "ok"
    found = rays(path)
    assert {f"kept-{i}" for i in range(3000)} <= set(found)
    log = DecisionLog(path, flush_s=NEVER, clock=lambda: AT)
    add(log, Decided(ray="afterwards"))
    log.close()
    assert len(find(path, "afterwards")) == 1


def test_an_ending_process_writes_what_waits(path: Path) -> None:
    with python("for i in range(500): add(log, Decided(ray=str(i)))", path, NEVER) as process:
        assert process.wait() == 0
    assert len(rays(path)) == 500


def test_two_processes_write_one_log(path: Path) -> None:
    code = """
        sys.stdin.readline()
        for i in range(2000):
            add(log, Decided(ray=f"{sys.argv[3]}-{i}"))
            if i % 100 == 0: log.flush()
    """
    # Both also make the file at once.
    with python(code, path, 0.005, "a") as one, python(code, path, 0.005, "b") as other:
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [one.wait(), other.wait()] == [0, 0]
    found = rays(path)
    assert sorted(found) == sorted(f"{name}-{i}" for name in "ab" for i in range(2000))
    assert integrity(path) == "ok"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_writes_its_own_entries_only(path: Path) -> None:
    code = """
        add(log, Decided(ray="written"))
        log.flush()
        add(log, Decided(ray="waiting"))
        if os.fork() == 0:
            assert log.waiting == 0
            add(log, Decided(ray="child"))
            assert log._writer.thread.is_alive()
            log.close()
            os._exit(0)
        assert os.wait()[1] == 0
        add(log, Decided(ray="parent"))
    """
    with python(code, path, NEVER) as process:
        assert process.wait() == 0
    assert sorted(rays(path)) == ["child", "parent", "waiting", "written"]
    assert integrity(path) == "ok"
