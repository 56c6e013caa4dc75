#!/usr/bin/env bash
# Make .venv with everything the tests and the demo need, at the versions pinned in constraints.txt.
# Quick when nothing changed. PYTHON=/path/to/python chooses the interpreter, EXTRAS=... the optional parts (EXTRAS=
# without a word: none).
set -euo pipefail
cd "$(dirname "$0")/.."

extras=${EXTRAS-all,test}
stamp=.venv/.setup-"${extras//,/-}"
key=$(cat pyproject.toml constraints.txt "$0" | cksum)

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && .venv/bin/python -c 'import napari_sam2_probe' 2>/dev/null; then
    exit 0
fi

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# A version manager may put names on the PATH that do not run, so each candidate has to answer.
is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && is_supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 to 3.14 was found: install one, or name it with 'make ${MAKECMDGOALS:-test} PYTHON=/path/to/python'."
}

make_venv() {
    local python
    python=$(find_python)
    say "making .venv with $("$python" --version)"
    "$python" -m venv .venv >/dev/null 2>&1 && return
    # Debian and Ubuntu ship venv as a package of its own.
    rm -rf .venv
    tools/install_system_packages.sh python3-venv || true
    "$python" -m venv .venv || fail "$python cannot make a virtual environment: install its venv module (python3-venv on Debian and Ubuntu)."
}

# pip's warnings about its own configuration would bury what matters; errors are shown, and the log keeps all of it.
pip_install() {
    local log=.venv/setup.log
    if ! .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt "$@" >>"$log" 2>&1; then
        grep -v '^WARNING' "$log" | tail -n 25 >&2
        fail "pip could not install $*; everything it said is in $log."
    fi
}

[ -x .venv/bin/python ] && is_supported .venv/bin/python || { rm -rf .venv; make_venv; }
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
: >.venv/setup.log

tools/install_system_packages.sh --for-tests || true

say "installing PyTorch (the largest part: several GB on Linux)"
pip_install setuptools wheel hatchling
pip_install torch torchvision
# sam2 comes as source and its build asks for torch: without isolation it uses the one just installed, not a second copy.
say "installing SAM 2"
SAM2_BUILD_CUDA=0 pip_install --no-build-isolation sam2
say "installing napari-sam2-probe and what else it needs"
pip_install --no-build-isolation -e ".${extras:+[$extras]}"

rm -f .venv/.setup-*
echo "$key" >"$stamp"
say "done; .venv holds $(.venv/bin/python --version), torch $(.venv/bin/python -c 'import importlib.metadata as m; print(m.version("torch"))')"
