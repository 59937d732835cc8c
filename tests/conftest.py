"""What holds for every test run: skipped tests are named at the end, and where
`GUARITA_NO_SKIPS` is set (as `.ci/run` does) they fail the run."""

import os
from collections import Counter, defaultdict

import pytest

# Test data beside the repository is not part of a user's clone; its absence is never a failure.
MAY_SKIP = "shared/vectors absent"


class SkipReport:
    """Collects the skipped tests of a run: reason → how often each test (without its
    parameters) was skipped for it. Under xdist only the controlling process reports."""

    def __init__(self, *, forbid: bool) -> None:
        self.forbid = forbid
        self.by_reason: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        longrepr = report.longrepr
        reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        self.by_reason[reason.removeprefix("Skipped: ")][report.nodeid.partition("[")[0]] += 1

    def unexpected(self) -> list[str]:
        """The reasons that `.ci/run` does not accept."""
        return sorted(reason for reason in self.by_reason if not reason.startswith(MAY_SKIP))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        passed = session.exitstatus == pytest.ExitCode.OK
        if self.forbid and passed and self.unexpected():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        say = terminalreporter
        say.section("skipped", sep="=")
        if not self.by_reason:
            say.line("nothing was skipped")
        for reason, tests in sorted(self.by_reason.items()):
            say.line(f"{tests.total()} skipped: {reason}")
            for test, times in sorted(tests.items()):
                say.line(f"    {test}" + (f" ({times} cases)" if times > 1 else ""))
        if self.forbid and self.unexpected():
            say.line("GUARITA_NO_SKIPS is set: these skips fail the run:", red=True)
            for reason in self.unexpected():
                say.line(f"    {reason}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        report = SkipReport(forbid=os.environ.get("GUARITA_NO_SKIPS", "") not in ("", "0"))
        config.pluginmanager.register(report, "guarita-skip-report")
