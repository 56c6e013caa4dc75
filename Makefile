# The two that matter: `make test` and `make demo`. Both set everything up first, in .venv; the second time that is quick.
.DEFAULT_GOAL := help
.PHONY: help setup test test-fast lint demo docs wheel clean

BIN := .venv/bin
DEMO := demo-output
export PYTHON

help:
	@echo "make test    set up, then check style, types and imports, and run all tests"
	@echo "make test-fast   set up, then run the tests that are not slow, in three minutes"
	@echo "make demo    set up, then make, track and probe clips; open $(DEMO)/index.html afterwards"
	@echo "make lint    only style, types and imports"
	@echo "make docs    build the documentation in site/"
	@echo "make wheel   build and check the packages in dist/"
	@echo "make clean   remove what was built (not .venv)"

setup:
	@tools/setup_env.sh

test: lint
	@tools/run_tests.sh -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: setup
	@tools/run_tests.sh -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: setup
	$(BIN)/sam2-probe demo --out $(DEMO)
	@tools/demo_screenshot.sh $(DEMO)

docs:
	@EXTRAS=all,test,docs tools/setup_env.sh
	$(BIN)/mkdocs build --strict

# Without torch and all the rest: a few megabytes suffice to build and to check.
wheel:
	@tools/build_packages.sh

clean:
	rm -rf build dist .venv-build site htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis $(DEMO)
	find src tests tools benchmarks -name __pycache__ -type d -exec rm -rf {} +
