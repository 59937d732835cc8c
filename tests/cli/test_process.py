"""What only shows in a process of its own: what is loaded, and pipes that close."""

import subprocess

from tests.cli.support import PROGRAM, environment


def test_the_program_leaves_the_server_unloaded_for_small_commands() -> None:
    code = (
        "import sys; from guarita.cli import main; main(['sign', '--secret-env', 'S']);"
        "print(sorted({'uvicorn', 'starlette', 'httptools', 'rich'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [PROGRAM[0], "-c", code],
        input=b"{}",
        env=environment(S="sk_test"),
        capture_output=True,
        timeout=60,
    )
    assert ran.stdout.splitlines()[1:] == [b"[]"], ran.stderr


def test_a_closed_pipe_is_no_error() -> None:
    script = f"{' '.join(PROGRAM)} key create --help | true; {' '.join(PROGRAM)} --version | true"
    ran = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, b"")
