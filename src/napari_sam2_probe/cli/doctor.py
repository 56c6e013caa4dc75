"""``sam2-probe doctor``: what this machine has and what to do about each problem."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from napari_sam2_probe.cli.progress import progress_bars
from napari_sam2_probe.common.errors import ResourceError

if TYPE_CHECKING:
    import argparse

    from napari_sam2_probe.models.doctor import Finding

_TOPIC_WIDTH = 14
_WIDTH = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command; it takes no arguments."""
    parser.epilog = "Exits with 0 unless something that is needed is broken."


def run(arguments: argparse.Namespace) -> None:
    """Print every finding, and end with an error if one is a problem."""
    from napari_sam2_probe.models.doctor import examine

    problems = 0
    with progress_bars() as progress:
        for finding in examine(progress):
            problems += finding.level == "problem"
            print(render(finding), flush=True)  # noqa: T201
    if problems:
        count = "one problem" if problems == 1 else f"{problems} problems"
        raise ResourceError(f"The doctor found {count}; what to do stands under each line marked 'problem'.")


def render(finding: Finding) -> str:
    """Return a finding as aligned lines: mark, topic, what was found, and indented what to do."""
    head = f"{finding.level:<8} {finding.topic:<{_TOPIC_WIDTH}} "
    indent = " " * len(head)
    lines = textwrap.wrap(finding.text, _WIDTH, initial_indent=head, subsequent_indent=indent, break_long_words=False)
    if finding.advice:
        arrow = f"{indent}-> "
        lines += textwrap.wrap(
            finding.advice, _WIDTH, initial_indent=arrow, subsequent_indent=f"{indent}   ", break_long_words=False
        )
    return "\n".join(lines)
