# Two commands do everything on a fresh machine: `make demo` and `make test`.
# `make demo RATE=50` for more posts a second, `PORT=8081` for another port; `make test WORKERS=0`
# for tests one after the other (they mostly wait: two at a time take little more than half).
RATE ?= 5
PORT ?= 8080
PYTEST ?=
WORKERS ?= 2

.PHONY: demo test lint bench model lock clean

demo: .venv/run.stamp
	@.venv/bin/triage up --demo $(RATE) --port $(PORT)

test: .venv/dev.stamp
	@tools/services
	@.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST)

lint: .venv/dev.stamp
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python tools/module_size.py

bench: .venv/dev.stamp
	@tools/services
	.venv/bin/python benchmarks/throughput.py
	.venv/bin/python benchmarks/latency.py

model: .venv/dev.stamp
	.venv/bin/python -m triage.learn

lock:
	tools/lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/run.stamp: requirements.lock pyproject.toml tools/environment
	@tools/environment requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock pyproject.toml tools/environment
	@tools/environment requirements-dev.lock
	@touch $@ .venv/run.stamp
