# One verb each. `make demo` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
PIP = $(RUN) -m pip install -q --disable-pip-version-check -c constraints.txt

.PHONY: demo test fast lint types bench clean

$(VENV)/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	@touch $@

$(VENV)/all: $(VENV)/base
	$(PIP) 'torch==2.13.0'
	$(PIP) --no-deps 'torchvision==0.28.0'  # its own torch would be another; its compiled part is not needed
	$(PIP) -e '.[all]'
	@touch $@

demo: $(VENV)/base  ## environment, install, the main job on the bundled sample; ends with the path of the report
	$(VENV)/bin/headstart fit examples/clipart/train --test examples/clipart/test --budget 60s --out demo
	@echo "report: $(CURDIR)/demo/report.html"

test: $(VENV)/all  ## environment, install with all extras, the whole suite
	$(RUN) -m pytest -q

fast: $(VENV)/all  ## the suite without what is slow
	$(RUN) -m pytest -q -m 'not slow'

lint: $(VENV)/all
	$(RUN) -m ruff check src tests benchmarks recipes
	$(RUN) -m ruff format --check src tests benchmarks recipes

types: $(VENV)/all
	$(RUN) -m mypy

bench: $(VENV)/all  ## the benchmark table; needs DATA=folder of data sets (docs/benchmarks.md)
	$(RUN) -m benchmarks.table --data $(DATA)
	$(RUN) -m benchmarks.table --summarise

clean:
	rm -rf $(VENV) demo build dist
