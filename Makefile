# Two commands on a machine with Python 3.11+, pip and make: `make demo`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEV_READY := .venv/.dev-ready
DOCS_READY := .venv/.docs-ready
BENCH_READY := .venv/.bench-ready
MUTATION_READY := .venv/.mutation-ready

.PHONY: demo test coverage check docs package bench torture mutants clean
.DEFAULT_GOAL := demo

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(DEV_READY): $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(BENCH_READY): $(DEV_READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	touch $@

$(MUTATION_READY): $(DEV_READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,mutation]'
	touch $@

$(DOCS_READY): $(DEV_READY)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs,release]'
	touch $@

demo: $(READY)            ## the report on the bundled sample, offline
	@$(BIN)/quotewell demo

check: $(DEV_READY)       ## style, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(DEV_READY)        ## all tests but the torture ones
	$(BIN)/pytest -m 'not torture' -n 2

coverage: $(DEV_READY)    ## the same, counted by lines and branches; below 95 % it fails
	$(BIN)/pytest -m 'not torture' -n 2 --cov --cov-report=term

docs: $(DOCS_READY)       ## the pages, into site/; a broken link fails
	$(BIN)/mkdocs build --strict --quiet

package: $(DOCS_READY)    ## wheel and sdist, checked, installed alone and with each extra
	$(BIN)/python tools/check_package.py

# Where the extra `fuzz` is installed, files that break the reader are looked for, too, for ten minutes.
torture: $(DEV_READY)     ## kills, soaks, full fault matrix
	$(BIN)/pytest -m torture -n 2 --dist worksteal

mutants: $(MUTATION_READY)  ## which changes of four modules their tests do not see, docs/mutation.md
	rm -rf mutants
	$(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

bench: $(BENCH_READY)     ## ratios against raw peers, into docs/performance.md
	$(BIN)/python -m bench

clean:
	rm -rf .venv mutants build dist site .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
