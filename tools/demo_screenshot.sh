#!/usr/bin/env bash
# Without a screen, show in a picture what napari would show of the demo's runs: demo_screenshot.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(uname -s)" != Linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exit 0
fi
tools/with_display.sh .venv/bin/sam2-probe view "$1/runs" --screenshot "$1/napari.png" ||
    echo "demo: the picture of napari's window was left out; the rest of the demo is complete." >&2
