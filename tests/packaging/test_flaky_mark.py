"""A second try is for tests that are marked, and is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers import flaky

pytest_plugins = ["pytester"]

TESTS = """
import pytest
tries = []

@pytest.fixture
def fresh():
    return []

@pytest.mark.flaky(reason="the weather")
def test_second(fresh):
    fresh.append(1)
    tries.append(1)
    assert fresh == [1]
    assert len(tries) == 2, "it rained"

@pytest.mark.flaky(reason="the wind")
def test_never():
    assert False, "it blew"

@pytest.mark.flaky(reason="the sun")
def test_first():
    tries.append(1)
    assert len(tries) == 3

def test_unmarked():
    tries.append(1)
    assert len(tries) == 5
"""


@pytest.mark.parametrize("words", [[], ["-n", "1"]])
def test_only_what_is_marked_is_tried_again_and_told(pytester, words):
    shutil.copy(Path(flaky.__file__), pytester.path / "conftest.py")
    pytester.makeini("[pytest]\nmarkers = flaky(reason)\n")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:napari", *words)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "flaky: 3 tests are marked, 2 of them were tried again",
            "flaky: *::test_second: AssertionError: it rained (the weather)",
            "flaky: *::test_never: AssertionError: it blew (the wind)",
        ]
    )
