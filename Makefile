# Winback: `make demo` runs the whole story, `make test` all tests. Both set everything up by themselves.
PY ?= python3.11
UV_VERSION := 0.13.9
BIN := .venv/bin
ARGS ?=
export UV_PYTHON_DOWNLOADS := never
export WINBACK_QUIET_PIP := 1
# Images that forbid compiled files make every process compile its libraries anew: half a minute for each test worker.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench proofs lint types spark

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## create .venv from requirements.lock, nothing else

# Compiled here, so that the first start is not the slow one. uv is ten times faster than pip; where it is not to be had, pip does the same with the same hashes.
.venv/.installed: requirements.lock pyproject.toml
	@command -v $(PY) >/dev/null || { echo "Winback needs Python 3.11 ($(PY) was not found). Set PY=path/to/python3.11."; exit 1; }
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@$(BIN)/python -m pip --disable-pip-version-check install -q uv==$(UV_VERSION) 2>/dev/null \
	 && VIRTUAL_ENV=.venv $(BIN)/uv pip sync -q --compile-bytecode --require-hashes requirements.lock \
	 || $(BIN)/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements.lock
	@{ test -x $(BIN)/uv && VIRTUAL_ENV=.venv $(BIN)/uv pip install -q --no-deps --no-build-isolation -e . ; } \
	 || $(BIN)/python -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## the whole story on real purchase history, then serve it (ARGS="--no-serve --json out.json")
	@$(BIN)/winback demo $(ARGS)

test: install ## all tests on SQLite and PostgreSQL, browser included
	@$(BIN)/python -m tests.prepare
	@$(BIN)/python -m pytest -n $${WINBACK_TEST_WORKERS:-3} --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: install
	@$(BIN)/ruff check .

types: install
	@$(BIN)/mypy

check: lint types test ## lint, types, tests and the check that vendored assets are what their notice says
	@$(BIN)/python -m tests.assets

bench: install ## benchmarks beside their baselines (ARGS="segments --quick")
	@$(BIN)/python -m benchmarks $(ARGS)

proofs: install ## the crash drills and agreements in full: what the tests try on a few cases
	@$(BIN)/python -m tests.prepare
	@WINBACK_PROOFS=1 $(BIN)/python -m pytest -m "proofs or deeper" -n $${WINBACK_TEST_WORKERS:-3} --dist loadgroup --no-loadscope-reorder $(ARGS)

spark: install .venv-spark/.installed ## the tests of the Spark engine, in an environment of their own (needs Java 17)
	@command -v java >/dev/null || { echo "Spark needs Java 17: apt-get install openjdk-17-jre-headless"; exit 1; }
	@PYTHONWARNINGS=ignore::FutureWarning:pyspark timeout --signal=INT --kill-after=60 $${SPARK_SECONDS:-1500} .venv-spark/bin/python -m pytest tests/spark $(ARGS)

.venv-spark/.installed: requirements.lock requirements-spark.lock pyproject.toml
	@test -x .venv-spark/bin/python || $(PY) -m venv .venv-spark
	@{ test -x $(BIN)/uv && VIRTUAL_ENV=.venv-spark $(BIN)/uv pip sync -q --require-hashes requirements.lock requirements-spark.lock; } \
	 || .venv-spark/bin/python -m pip --disable-pip-version-check install -q --require-hashes -r requirements.lock -r requirements-spark.lock
	@{ test -x $(BIN)/uv && VIRTUAL_ENV=.venv-spark $(BIN)/uv pip install -q --no-deps --no-build-isolation -e . ; } \
	 || .venv-spark/bin/python -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e .
	@touch $@
