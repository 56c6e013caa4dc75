"""The model that was loaded last, for the next run of the same choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam2_probe.families.loaded import Model, ModelChoice


class ModelCache:
    """Keeps one model, so that a second video doesn't load it again; used from worker threads, one at a time."""

    def __init__(self) -> None:
        self._kept: tuple[ModelChoice, Model] | None = None
        self._threads: int | None = None

    def load(self, choice: ModelChoice) -> Model:
        """Return the model, loading it if it isn't the one that is kept.

        Raises
        ------
        InputError, ResourceError
            As `tracking.loaded.load_model`.
        """
        from napari_sam2_probe.families.loaded import load_model
        from napari_sam2_probe.tracking.sharing import give_memory_back, leave_a_core

        if self._kept is None or self._kept[0] != choice:
            if self._kept is not None:
                self._kept = None
                give_memory_back()
            if self._threads is None:
                self._threads = leave_a_core()
            self._kept = (choice, load_model(choice))
        return self._kept[1]

    def clear(self) -> None:
        """Let the model go, with its memory."""
        if self._threads is None:
            return
        from napari_sam2_probe.tracking.sharing import give_memory_back, use_threads

        self._kept = None
        use_threads(self._threads)
        self._threads = None
        give_memory_back()
