"""One controller for each viewer, shared by the Track panel and the lanes; it lives as long as one of them does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari_sam2_probe.gui.closing import when_closed
from napari_sam2_probe.gui.tracking.controller import TrackController

if TYPE_CHECKING:
    import napari


class ControllerLease:
    """A share in the controller of a viewer, which is closed with the last of them.

    Attributes
    ----------
    controller
        The controller.
    """

    def __init__(self, viewer: napari.Viewer, controller: TrackController) -> None:
        self.controller = controller
        self._viewer = ref(viewer)

    def close(self) -> None:
        """Give it back; calling it twice is harmless."""
        viewer = self._viewer()
        leases = _LEASES.get(viewer, []) if viewer is not None else []
        if self in leases:
            leases.remove(self)
            if not leases:
                del _LEASES[viewer]
                self.controller.close()


def borrow_controller(viewer: napari.Viewer) -> ControllerLease:
    """Return a share in the one controller of a viewer; the first makes it, the last to be closed ends it."""
    leases = _LEASES.setdefault(viewer, [])
    lease = ControllerLease(viewer, leases[0].controller if leases else TrackController(viewer))
    leases.append(lease)
    if len(leases) == 1:
        # The viewer is held by its workspaces.
        when_closed(viewer, partial(_end, lease.controller, leases))
    return lease


_LEASES: WeakKeyDictionary[napari.Viewer, list[ControllerLease]] = WeakKeyDictionary()


def _end(controller: TrackController, leases: list[ControllerLease]) -> None:
    leases.clear()
    controller.shut_down()
