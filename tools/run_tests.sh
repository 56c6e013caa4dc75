#!/usr/bin/env bash
# Run pytest with a display; on a machine where Qt cannot even be loaded, without the tests of the window.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
# What a user set up in napari must not decide whether a test passes.
export NAPARI_CONFIG=

if "$python" -c 'import PyQt6.QtWidgets, PyQt6.QtTest' 2>/tmp/qt-error.$$; then
    rm -f /tmp/qt-error.$$
    exec tools/with_display.sh "$python" -m pytest "$@"
fi
printf 'tests: Qt cannot be loaded here (%s), so the tests of the window (tests/gui) are left out.\n' \
    "$(tail -n 1 /tmp/qt-error.$$)" >&2
rm -f /tmp/qt-error.$$
exec "$python" -m pytest -p no:pytest-qt -W ignore::pytest.PytestConfigWarning --ignore tests/gui "$@"
