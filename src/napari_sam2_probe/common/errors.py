"""Errors that a person reads.

Every message is one sentence that says what is wrong, where, and what to do. The command line prints it and
exits with 2; the window shows it as a notification. Anything else that escapes is a defect of ours.
"""

from __future__ import annotations


class ProbeError(Exception):
    """An error whose message is meant for the user: one sentence saying what, where and what to do."""


class InputError(ProbeError):
    """What the user gave (a path, a prompt, an option, a checkpoint) can't be used."""


class ResourceError(ProbeError):
    """The machine can't do it now: disk full, out of memory, a device that is not there."""


class PluginWarning(UserWarning):
    """What a package from outside offers can't be used."""
