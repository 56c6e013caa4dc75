"""Video files that are dropped on the window are read by this plugin, and napari doesn't ask each time."""

from __future__ import annotations

from napari_sam2_probe.video.file import VIDEO_SUFFIXES

PLUGIN = "napari-sam2-probe"
_NAPARI = "napari"
"""What napari calls its own readers: they decode a video to its end before anything is shown."""


def prefer_own_reader() -> tuple[str, ...]:
    """Prefer this plugin's reader to napari's own for video files, wherever the user has not chosen one.

    It is the preference that napari itself notes when one ticks *Remember this choice*, and can be changed under
    Preferences → Plugins. Where another plugin reads a kind of file too, napari goes on asking.

    Returns
    -------
    tuple of str
        The patterns that are new in the preferences, such as ``"*.mp4"``.
    """
    from napari.plugins.utils import get_preferred_reader
    from napari.settings import get_settings

    plugins = get_settings().plugins
    new = tuple(
        f"*{suffix}"
        for suffix in sorted(VIDEO_SUFFIXES)
        if get_preferred_reader(f"video{suffix}") is None and _readers(f"video{suffix}") == {PLUGIN, _NAPARI}
    )
    if new:
        plugins.extension2reader = {**plugins.extension2reader, **dict.fromkeys(new, PLUGIN)}
    return new


def _readers(name: str) -> set[str]:
    from npe2 import PluginManager

    return {reader.plugin_name for reader in PluginManager.instance().iter_compatible_readers(name)}
