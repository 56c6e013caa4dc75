"""Memory that ran out, in the forms in which libraries report it."""

from __future__ import annotations

import re

from napari_sam2_probe.common.errors import ResourceError

# What torch, oneDNN, the loader of shared libraries, and Python's threads say.
_SIGNS = re.compile(
    r"out of memory|can.?t allocate memory|cannot allocate memory|failed to map segment|bad_alloc|"
    r"can't start new thread|could not create a primitive|unable to allocate|Resource temporarily unavailable",
    re.IGNORECASE,
)


def memory_error(error: BaseException) -> ResourceError | None:
    """Return the sentence for an error, or for what caused it, if memory or threads ran out; None if they did not."""
    for one in (error, error.__cause__, error.__context__):
        if isinstance(one, MemoryError) or (
            isinstance(one, RuntimeError | ImportError | OSError) and _SIGNS.search(str(one))
        ):
            return ResourceError(
                "Memory ran out: close other programs, allow this one more (ulimit -v, the limit of the job or the "
                "container), or take a smaller video, checkpoint or batch."
            )
    return None
