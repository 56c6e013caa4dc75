"""What the window takes for granted of the Qt binding that draws it."""

from __future__ import annotations

import sys

import pytest
from qtpy.QtCore import QObject, Signal

ROUNDS = 200
SLACK = ROUNDS // 2


class Sender(QObject):
    told = Signal(object)

    def listen(self, _):
        return None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None and True are never freed")
@pytest.mark.parametrize("value", [None, True])
def test_it_gives_back_no_reference_that_it_has_not_taken(qtbot, value):
    """As PySide6 6.12.0 does, until Python ends with "deallocating None"."""
    sender = Sender()
    sender.told.connect(sender.listen)
    # So that a binding that fails here doesn't end the process.
    held = [value] * (20 * ROUNDS)
    before = sys.getrefcount(value)
    for _ in range(ROUNDS):
        sender.told.emit({})
        sender.setObjectName("sender")
        sender.parent()
    assert sys.getrefcount(value) >= before - SLACK
    del held
