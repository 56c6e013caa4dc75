#!/usr/bin/env bash
# Run a command with a display: the one that is there, else a virtual one, else none.
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xvfb-run >/dev/null; then
    exec xvfb-run --auto-servernum --server-args="-screen 0 1600x1000x24" "$@"
fi
exec "$@"
