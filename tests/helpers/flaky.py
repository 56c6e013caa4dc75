"""Tests that are known to fail now and then: marked one by one, tried a second time, counted and named at the end.

``@pytest.mark.flaky(reason="...")`` says what it hangs on that no test can hold still. Nothing else is ever tried
again, and a marked test that fails twice has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest.runner import runtestprotocol

if TYPE_CHECKING:
    import pytest

_MARKED, _AGAIN = "flaky", "tried again"


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    marker = item.get_closest_marker("flaky")
    if marker is None:
        return None
    item.user_properties.append((_MARKED, marker.kwargs["reason"]))
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if any(report.failed for report in reports):
        item.user_properties.append((_AGAIN, _first_line(reports)))
        # Its fixtures are made again; those of the module stay.
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _first_line(reports: list[pytest.TestReport]) -> str:
    failed = next(report for report in reports if report.failed)
    crash = getattr(failed.longrepr, "reprcrash", None)
    return (crash.message if crash else str(failed.longrepr)).splitlines()[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed", "skipped") for report in terminalreporter.stats.get(kind, ())]
    told = {report.nodeid: dict(getattr(report, "user_properties", ())) for report in reports}
    again = {nodeid: properties for nodeid, properties in told.items() if _AGAIN in properties}
    number = sum(_MARKED in properties for properties in told.values())
    terminalreporter.write_line(f"flaky: {number} tests are marked, {len(again)} of them were tried again")
    for nodeid, properties in again.items():
        terminalreporter.write_line(f"flaky: {nodeid}: {properties[_AGAIN]} ({properties[_MARKED]})")
