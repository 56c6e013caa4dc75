#!/usr/bin/env bash
# Run pytest with a display; on a machine where Qt cannot even be loaded, without the tests of the window.
# Arguments are pytest's; without a path among them all tests run, those of the window after the others.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
# What a user set up in napari must not decide whether a test passes.
export NAPARI_CONFIG=
# The workers of pytest share the processors; threads of torch that wait for one another would take them away.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
# Many tests start Python: it should compile the package once, not in each of these processes.
unset PYTHONDONTWRITEBYTECODE

for argument in "$@"; do
    if [ -e "${argument%%::*}" ]; then
        exec tools/with_display.sh "$python" -m pytest "$@"
    fi
done

# pytest's code for "nothing was collected": right for one part where tests are chosen by name or mark, not for all.
nothing=5
status=$nothing
part() {
    printf 'tests: part %s\n' "$1"
    shift
    "$@"
    local code=$?
    if [ "$status" -eq "$nothing" ] || { [ "$code" -ne 0 ] && [ "$code" -ne "$nothing" ]; }; then
        status=$code
    fi
}

# The window's tests have a process of their own: software OpenGL brings an LLVM that crashes beside the one in triton,
# which torch loads now and then.
if said=$("$python" -c 'import PyQt6.QtWidgets, PyQt6.QtTest' 2>&1); then
    # Its plugin loads the window's libraries in every worker, for tests of windows alone.
    part library tools/with_display.sh "$python" -m pytest -p no:napari --ignore tests/gui "$@"
    part window tools/with_display.sh "$python" -m pytest "$@" tests/gui
else
    printf 'tests: Qt cannot be loaded here (%s), so the tests of the window (tests/gui) are left out.\n' \
        "${said##*$'\n'}" >&2
    part library "$python" -m pytest -p no:pytest-qt -W ignore::pytest.PytestConfigWarning --ignore tests/gui "$@"
fi
exit "$status"
