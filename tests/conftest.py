"""What several folders of tests share: models, one number of threads, and real data where there is some."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from helpers.flaky import pytest_runtest_protocol, pytest_terminal_summary
from helpers.one_thread import one_thread_of_torch
from napari_sam2_probe.models.checkpoints import SAMPLE_SIZE_VARIABLE

__all__ = ["pytest_runtest_protocol", "pytest_terminal_summary"]

# The same examples every time and on every machine, whatever a database remembers; what they find takes as long as it
# takes. `pytest --hypothesis-profile search` looks for new ones; what it finds goes into the test with `@example`.
settings.register_profile("same", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("search", derandomize=False, database=None, deadline=None, print_blob=True, max_examples=1000)
settings.load_profile("same")

# Tests that track with the sample model, and the processes that they start, need its speed and not its looks, whatever
# size it ships at. What is about the model as it ships asks for `sample_as_shipped`.
os.environ.setdefault(SAMPLE_SIZE_VARIABLE, "256")


@pytest.fixture
def sample_as_shipped(monkeypatch):
    """The sample model at the size at which users get it."""
    monkeypatch.delenv(SAMPLE_SIZE_VARIABLE)


def _with_one_thread():
    """The number of threads moves float32 results, so whatever is compared must have the same."""
    with one_thread_of_torch():
        yield


one_thread = pytest.fixture(_with_one_thread, name="one_thread")
one_thread_in_module = pytest.fixture(_with_one_thread, scope="module", name="one_thread_in_module")


def pytest_configure():
    # What a shell runs in the background ignores Ctrl-C, and so would every command that a test interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    # Files with many slow tests first, so that no worker is left alone with one at the end.
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def twins():
    """``twins(gate="open" | "closed" | "changing", **flags)`` -> the stock predictor, ours, predictor flags."""
    made = {}

    def make(gate="open", **flags):
        from helpers.twins import make_twins

        key = (gate, *sorted(flags.items()))
        if key not in made:
            made[key] = make_twins(gate, **flags)
        return made[key]

    return make


@pytest.fixture(scope="session")
def seeded(twins):
    """``seeded(gate="open")`` -> the small model with seeded weights; with the gate open its masks are not empty."""
    from helpers.twins import as_model

    return lambda gate="open": as_model(twins(gate)[1])


@pytest.fixture(scope="session")
def davis_root():
    """A folder in DAVIS layout with real sequences; tests that need it are skipped without."""
    beside = Path(__file__).parents[2] / "shared" / "davis-mini"
    root = Path(os.environ.get("SAM2_PROBE_DAVIS", beside))
    if not (root / "JPEGImages").is_dir():
        pytest.skip("no DAVIS sequences: set SAM2_PROBE_DAVIS to a folder in DAVIS layout")
    return root
