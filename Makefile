# What people and CI run. Everything goes into .venv; `make clean` removes it.

VENV := .venv
BIN := $(VENV)/bin
ARGS :=
SECONDS := 600
RELOADS := 1000
CALLS := 2000
EXCHANGES := 1000000
CONTENT := 10000
ROUTES := 500
WORKERS := 1
# Three test files in parallel, in order, so that the browser's, which take longest, start early.
# Tests that measure time and memory run alone, one after the other.
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder
# No socket, no browser, no root.
UNIT := $(addprefix tests/,core config http1 http2 test_architecture.py test_errors.py)
ALONE := $(addprefix tests/,soak/test_inspector_memory.py soak/test_soak.py soak/test_siege.py reloads/test_reloads.py)
# The tests of compiled modules, direct and through sockets.
MEET_COMPILED := $(addprefix tests/,core http1 shell/listener shell/streams shell/upstream shell/admin/test_figures.py fuzz test_compiled.py test_hostile_input.py test_security.py)
ALONE_COMPILED := $(filter-out %_memory.py,$(ALONE))
ENGINE = $(shell for engine in docker podman buildah; do command -v $$engine && break; done)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' corsproxy/__init__.py)

# Installed packages are locked, with hashes. NEWEST=1 takes the newest that pyproject.toml allows.
NEWEST :=
GROUPS = $(foreach group,$(1),$(if $(NEWEST),--upgrade --group $(group),--require-hashes -r locks/$(group).txt))
EDITABLE = CORSPROXY_COMPILE=0 $(BIN)/python -m pip install --quiet --no-build-isolation \
  $(if $(NEWEST),--upgrade --upgrade-strategy eager,--no-deps) --editable .

# Tests start the commands hundreds of times, and each start would compile every module.
export PYTHONDONTWRITEBYTECODE :=
# Debian installs servers such as nginx outside of a user's PATH.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help demo test unit test-compiled test-newest explore lock lint format soak frameworks inspector-memory chromium http2 clients learned recipes reloads devtools fuzz export-check bench image sbom image-check clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/corsproxy.stamp ## an API without CORS, a page that calls it, and the proxy between them
	@$(BIN)/corsproxy demo

test: lint $(VENV)/httpbin.stamp $(VENV)/engines.stamp ## all checks; ARGS="tests/core -k origin" selects tests
	@scripts/install-test-programs
	$(BIN)/pytest $(if $(ARGS),$(ARGS),$(PARALLEL) $(addprefix --ignore ,$(ALONE)))
	$(if $(ARGS),,$(BIN)/pytest $(ALONE))

unit: $(VENV)/dev.stamp ## the tests without sockets, browser or root; ARGS="-k origin" selects some
	$(BIN)/pytest $(PARALLEL) $(UNIT) $(ARGS)

# The wheel is unpacked over the source archive, so the tests find the compiled modules.
test-compiled: $(VENV)/wheel.stamp ## the tests of compiled modules, on the compiled package
	@scripts/install-test-programs
	@rm -rf $(VENV)/compiled
	@$(BIN)/python -m hatchling build --target sdist --directory $(VENV)/compiled
	@tar -xzf $(VENV)/compiled/*.tar.gz --strip-components 1 -C $(VENV)/compiled
	@$(BIN)/python -m zipfile --extract $(VENV)/wheel/*.whl $(VENV)/compiled
	cd $(VENV)/compiled && ../bin/pytest -m "not interpreted" $(or $(ARGS),$(PARALLEL) $(MEET_COMPILED))
	$(if $(ARGS),,cd $(VENV)/compiled && ../bin/pytest -m "not interpreted" $(ALONE_COMPILED))

explore: $(VENV)/dev.stamp ## property tests with many new inputs; ARGS="tests/core" selects tests
	$(BIN)/pytest --hypothesis-profile explore -m "not compiled and not browser" $(ARGS)

test-newest: ## `make test` with the newest dependencies, in a separate environment
	@$(MAKE) test VENV=.venv-newest NEWEST=1

lock: ## update locks/ from pyproject.toml (needs uv); ARGS=--upgrade takes the newest versions
	scripts/lock $(ARGS)

lint: $(VENV)/dev.stamp ## check format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

outcomes: $(VENV)/dev.stamp ## CALLS=2000 random calls: the log predicts what Chromium does with each
	@scripts/install-test-programs
	CALLS=$(CALLS) $(BIN)/python -m pytest tests/browser/test_outcomes.py --timeout=1800

soak: $(VENV)/dev.stamp ## mixed load, restarts and edits for SECONDS=600; WORKERS=2 uses several processes
	$(BIN)/python -m programs.soak --seconds $(SECONDS) --workers $(WORKERS)

frameworks: $(VENV)/dev.stamp $(VENV)/httpbin.stamp $(VENV)/node.stamp ## logins through the proxy on Django, FastAPI, Rails, Sinatra, express and Next.js
	FRAMEWORKS=all $(BIN)/pytest tests/frameworks

clients: $(VENV)/dev.stamp $(VENV)/clients.stamp ## openai, tus, axios, socket.io, S3, GraphQL and OIDC in Chromium, following the hints in the terminal
	$(BIN)/python -m pytest -q tests/clients/walk.py $(ARGS)

learned: $(VENV)/dev.stamp $(VENV)/clients.stamp ## 69 sessions of real clients: each passes with what `corsproxy learn` proposes, and needs all of it
	@scripts/install-test-programs
	$(BIN)/python -m pytest -q -rA --timeout=240 tests/learned/walk.py $(ARGS)

recipes: $(VENV)/dev.stamp $(VENV)/recipes.stamp ## try docs/recipes/frontends.md in the dev servers of Vite, Next.js, Nuxt, SvelteKit, Angular, webpack, Storybook
	$(BIN)/python -m pytest -q --timeout=300 tests/recipes/walk.py $(ARGS)

devtools: $(VENV)/dev.stamp ## 200 exchanges in Chromium: the inspector shows the same as DevTools
	$(BIN)/python -m pytest -q tests/devtools/comparison.py

inspector-memory: $(VENV)/dev.stamp ## EXCHANGES=1000000 of CONTENT=10000 bytes: the inspector stays within its memory budget
	$(BIN)/python -m programs.inspector_memory --exchanges $(EXCHANGES) --content $(CONTENT)

chromium: $(VENV)/dev.stamp ## the browser tests in the whole of Chromium; `make test` runs most of them in its shell
	@scripts/install-test-programs
	CHROMIUM=chromium $(BIN)/pytest $(PARALLEL) tests/browser

http2: $(VENV)/dev.stamp ## all CORS calls of the tests, in Chromium over https and HTTP/2
	@scripts/install-test-programs
	HTTP2=all $(BIN)/python -m pytest tests/browser/test_https.py --timeout=600

reloads: $(VENV)/dev.stamp ## RELOADS=1000 of a file with ROUTES=500 under load: no request lost, mixed up or delayed
	@scripts/install-test-programs
	$(BIN)/python -m programs.reloads --reloads $(RELOADS) --routes $(ROUTES) --workers $(WORKERS)

fuzz: $(VENV)/fuzz.stamp ## search for inputs that break a promise, SECONDS=600 per target; ARGS="--jobs 4 links" selects some
	$(BIN)/python -m programs.fuzz --seconds $(SECONDS) $(ARGS)

export-check: $(VENV)/dev.stamp $(VENV)/engines.stamp ## compare 500 generated policies on each engine; ARGS="--examples 50 nginx" takes fewer
	@scripts/install-test-programs
	$(BIN)/python -m tests.export.check $(ARGS)

bench: $(VENV)/dev.stamp ## compare with other proxies (about an hour, Debian, root); ARGS=--quick for six minutes
	$(BIN)/python benchmarks/run $(ARGS)

image: ## build the container image with docker, podman or buildah (ENGINE=podman chooses)
	@test -n "$(ENGINE)" || { echo "building the image needs docker, podman or buildah" >&2; exit 1; }
	@# the OCI format, which podman and buildah prefer, has no health check
	BUILDAH_FORMAT=docker $(ENGINE) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	  --tag corsproxy:$(VERSION) --tag corsproxy:latest .

sbom: ## the bill of materials of what the image installs (CycloneDX), in dist/corsproxy.cdx.json
	@mkdir -p dist
	@python3 scripts/sbom >dist/corsproxy.cdx.json
	@echo dist/corsproxy.cdx.json

image-check: ## build the image without a registry, run it and measure it (Debian, root)
	@python3 scripts/check_image.py

clean: ## remove the environment and all generated files
	rm -rf $(VENV) .venv-newest build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .fuzz .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, so a second run installs nothing.

$(VENV)/venv.stamp: scripts/find-python
	python=$$(scripts/find-python) && "$$python" -m venv $(VENV)
	@# dependency groups came with pip 25.1
	$(if $(NEWEST),$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1')
	@touch $@

$(VENV)/corsproxy.stamp: $(VENV)/venv.stamp pyproject.toml locks/runtime.txt locks/build.txt
	$(BIN)/python -m pip install --quiet $(call GROUPS,$(if $(NEWEST),,runtime) build)
	$(EDITABLE)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/venv.stamp pyproject.toml locks/dev.txt
	$(BIN)/python -m pip install --quiet $(call GROUPS,dev)
	$(EDITABLE)
	@touch $@ $(VENV)/corsproxy.stamp

$(VENV)/fuzz.stamp: $(VENV)/dev.stamp locks/fuzz.txt
	$(BIN)/python -m pip install --quiet $(call GROUPS,fuzz)
	@touch $@

$(VENV)/wheel.stamp: $(VENV)/dev.stamp hatch_build.py $(shell find corsproxy -type f -not -name '*.pyc')
	@scripts/install-compiler $(BIN)/python
	@rm -rf $(VENV)/wheel
	@# -O1 compiles in half the time, and is good enough for tests.
	CORSPROXY_COMPILE=1 CFLAGS=-O1 $(BIN)/python -m hatchling build --target wheel --directory $(VENV)/wheel
	@touch $@

# The tests look for it beside their own environment.
$(VENV)/httpbin.stamp: $(VENV)/venv.stamp locks/httpbin.txt
	$(BIN)/python -m venv --without-pip $(VENV)/httpbin
	$(BIN)/python -m pip --python $(VENV)/httpbin install --quiet $(call GROUPS,httpbin)
	@touch $@

# The engines of `corsproxy export`; the tests look for them in the same way.
$(VENV)/engines.stamp: $(VENV)/venv.stamp locks/engines.txt
	$(BIN)/python -m venv --without-pip $(VENV)/engines
	$(BIN)/python -m pip --python $(VENV)/engines install --quiet $(call GROUPS,engines)
	@touch $@

$(VENV)/clients.stamp: $(VENV)/venv.stamp $(shell find tests/clients/node -type f)
	@scripts/install-test-programs nodejs npm
	@mkdir -p $(VENV)/clients
	cp -r tests/clients/node/. $(VENV)/clients
	cd $(VENV)/clients && npm ci --no-audit --no-fund --silent && \
	  node_modules/.bin/esbuild pages.mjs --bundle --minify --format=iife --outfile=pages.js --log-level=error
	@touch $@

$(VENV)/recipes.stamp: $(VENV)/venv.stamp $(shell find tests/recipes/node -type f)
	@scripts/install-test-programs nodejs npm
	@mkdir -p $(VENV)/recipes
	cp -r tests/recipes/node/. $(VENV)/recipes
	cd $(VENV)/recipes && npm ci --no-audit --no-fund --silent
	@touch $@

# Node's dependencies are locked with hashes, too; the production build is kept.
$(VENV)/node.stamp: $(VENV)/venv.stamp $(shell find tests/frameworks/node -type f)
	@scripts/install-test-programs caddy puma ruby-railties ruby-sinatra nodejs npm
	@mkdir -p $(VENV)/node
	cp -r tests/frameworks/node/. $(VENV)/node
	cd $(VENV)/node && npm ci --no-audit --no-fund --silent && NEXT_TELEMETRY_DISABLED=1 node_modules/.bin/next build
	@touch $@
