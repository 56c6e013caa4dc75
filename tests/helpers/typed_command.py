"""What the tests of commands share: the size of their video, and what a command said."""

from __future__ import annotations

from dataclasses import dataclass

T, H, W = 6, 90, 160


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line of stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]
