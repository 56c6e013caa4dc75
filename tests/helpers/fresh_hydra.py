"""Hydra as a process finds it, whatever other tests did to it."""

from __future__ import annotations

from contextlib import contextmanager


@contextmanager
def fresh_hydra(*, initialised: bool):
    """Clear Hydra's global state, initialise it as ``import sam2`` does if asked to, and restore it at the end."""
    import sam2  # noqa: F401
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    instance = GlobalHydra.instance()
    before = instance.hydra
    instance.clear()
    if initialised:
        initialize_config_module("sam2", version_base="1.2")
    try:
        yield instance
    finally:
        instance.hydra = before
