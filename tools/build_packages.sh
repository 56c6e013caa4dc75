#!/usr/bin/env bash
# Build the source package and the wheel in dist/ and check them, in a small environment of their own (.venv-build).
# PYTHON=/path/to/python chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

"${PYTHON:-python3}" -m venv .venv-build
.venv-build/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling twine
rm -rf dist
.venv-build/bin/python -m hatchling build
.venv-build/bin/python -m twine check --strict dist/*
printf 'built with %s of tools\n' "$(du -sh .venv-build | cut -f1)"
