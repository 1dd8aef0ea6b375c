# Every target works on a fresh machine with Python >= 3.11, make and git: nothing to do by hand before or after.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SERVING := $(VENV)/.serving
PORT ?= 8000
PYTHONS ?= 3.11 3.12 3.13
JOBS ?= 5
export BENTOML_DO_NOT_TRACK := true
export PYTHONUTF8 := 1
# Byte code of packages is written once; without it every start of a process takes twice as long.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help pictures completion badges mutants rehearse environment serve dev test test-group coverage unit lint format types lock clean starter bench capacity bench-quick bench-growth soak bench-check yaml unit-all audit build image ship storm storm-alerts client-types validate test-n8n \
  unit-on bench-gates mutants-rules secrets release release-files push-image tag-image announce ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# uv installs a locked environment in seconds; where it can't be had, plain pip does the same from the same file.
define install
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r <(sed -n '/^uv==/,/[^\\]$$/p' requirements/dev.txt) 2>/dev/null \
	  && $(BIN)/uv pip $(2) --quiet --require-hashes --python $(BIN)/python $(3) $(1) \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
	@touch $@
endef

$(STAMP): requirements/dev.txt
	$(call install,requirements/dev.txt,sync)

# What serves is a third of it, without what installed it. The whole, once it is there, serves as well.
$(SERVING): requirements/serve.txt
	@$(if $(wildcard $(STAMP)),$(MAKE) --no-print-directory $(STAMP),true)
	$(if $(wildcard $(STAMP)),@touch $@,$(call install,requirements/serve.txt,install,-r))
	@test -e $(STAMP) || $(BIN)/python -m pip uninstall --quiet --disable-pip-version-check --yes uv 2>/dev/null

environment: $(STAMP) ## .venv, from the lock file

serve: $(SERVING) ## import the models and serve the API on :8000; needs a third of the environment
	@$(BIN)/python import_models.py --if-changed
	@($(BIN)/python -m pikkit.welcome &)
	@$(BIN)/python -m pikkit.serve

dev: $(STAMP) ## the same, restarted on every change of the code
	@$(BIN)/python import_models.py --if-changed
	@$(BIN)/python -m pikkit.serve --reload

starter: $(STAMP) ## make the starter models again
	@$(BIN)/python -m training starter

test: lint types $(STAMP) ## every check and test, system tests too where the machine can run them, by JOBS processes (TESTS: only these)
	@$(BIN)/python -m pytest $(TESTS) --numprocesses $(JOBS) --no-loadscope-reorder --junitxml=dist/tests/all.xml

test-group: $(STAMP) ## the tests of one GROUP (fast, product, deploy, engine), as a job of the pipeline runs them
	@$(BIN)/python -m pytest --group "$(GROUP)" --numprocesses $(JOBS) --no-loadscope-reorder --durations=20 \
	  --junitxml=dist/tests/$(GROUP).xml

unit: $(STAMP) ## the fast tests only
	@$(BIN)/python -m pytest -q tests/unit --numprocesses 2

# Tracing doubles what a test costs, and sees nothing of what runs in a process of its own: it is for the fast ones alone.
coverage: $(STAMP) ## the fast tests, and whether they reach enough of the code
	@$(BIN)/python -m pytest -q tests/unit --numprocesses 2 --cov --cov-report=term --cov-report=xml
	@$(BIN)/coverage report --format=markdown >>"$${GITHUB_STEP_SUMMARY:-/dev/null}"

lint: $(STAMP) ## ruff: rules and format; import-linter: the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache

yaml: $(STAMP) ## YAML, workflows (GitHub's schema, zizmor), shell scripts, Dockerfiles
	@.ci/yaml

unit-on: $(STAMP) ## the fast tests on the Python ON=3.13
	@test -n "$(ON)" || { echo "make unit-on ON=3.13"; exit 2; }
	@.ci/unit $(ON)

# A process for each of two Pythons: each reads and compiles all tests once.
unit-all: $(STAMP) ## the same on every Python from 3.11 to 3.13 (uv fetches what is missing)
	@printf '%s\n' $(PYTHONS) | JOBS=0 xargs --max-procs=2 --max-args=1 .ci/unit

audit: $(STAMP) ## known vulnerabilities of what the service is locked to, and the hostile pickles
	@$(BIN)/python -m pytest -q tests/unit/models/test_pickles.py
	@$(BIN)/python .ci/audit.py

secrets: $(STAMP) ## secrets in files and history
	@.ci/secrets

build: $(STAMP) ## the release VERSION as a Bento
	@test -n "$(VERSION)" || { echo "make build VERSION=1.2.0"; exit 2; }
	@$(BIN)/python -m deploy build --version $(VERSION)

image: $(STAMP) ## the release VERSION as a container image on BASE_IMAGE, with dist/image.json and dist/sbom.json
	@test -n "$(VERSION)" || { echo "make image VERSION=1.2.0"; exit 2; }
	@$(BIN)/python -m deploy build --version $(VERSION) --image

push-image: $(STAMP) ## push the image of dist/image.json by digest to REGISTRY (see deploy/pipeline/push_image.sh)
	@deploy/pipeline/push_image.sh push

tag-image: $(STAMP) ## give the pushed DIGEST the version's tag, which never moves
	@deploy/pipeline/push_image.sh tag

release: $(STAMP) ## cut CHANGELOG.md's section of VERSION and set the version
	@$(BIN)/python .ci/changelog.py cut "$(VERSION)"

# Where `python -m deploy build` put it.
release-files: export BENTOML_HOME ?= $(CURDIR)/.data/bentoml
release-files: $(STAMP) ## what a release holds, from its tag: Bento, SBOM, notes, in dist/release
	@deploy/pipeline/release.sh files

announce: $(STAMP) ## tell Telegram what became of a run that never reached its host (RESULTS)
	@$(BIN)/python -m deploy.notify "Pikkit ML API: $$ACTION $$VERSION did not reach the host: $$RESULTS $$RUN_URL"

ci: ## stages 1 to 5 of the pipeline, on this machine
	@.ci/laptop

storm: $(STAMP) ## 100,000 requests through a hundred switches; SECONDS (1200) of random operations and kills under load
	@PIKKIT_REQUESTS=100000 STORM_LONGEST_S="$${STORM_LONGEST_S:-5}" STORM_SECONDS=$(or $(SECONDS),1200) $(BIN)/python -m pytest -q -s \
	  tests/system/test_deploy_zero_drops.py tests/system/test_deploy_storm.py

storm-alerts: $(STAMP) ## ALERTS (10000) through a failing receiver, two slots, a worker killed every second: none lost or doubled
	@PIKKIT_ALERTS=$(or $(ALERTS),10000) $(BIN)/python -m pytest -q -s --no-cov tests/system/test_alerts_storm.py

ship: $(STAMP) ## the pipeline's last stage: ACTION on the host, verify, go back on failure (see deploy/pipeline/ship.sh)
	@deploy/pipeline/ship.sh

format: $(STAMP) ## ruff: mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

rehearse: ## the workflow by act (ACT=…) with copies of its actions (ACTIONS=…), without containers
	@.ci/rehearse

mutants: $(STAMP) ## would the tests notice? SAMPLE=300 single changes (0: all) within MINUTES=30 (0: hours), in ROOMS=pikkit/bets,…
	@$(BIN)/python .ci/mutants.py --sample "$${SAMPLE:-300}" --minutes "$${MINUTES:-30}" --rooms "$(ROOMS)"

bench: $(STAMP) ## the service beside other ways to serve, on thousands of different bets, into benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks.compare

capacity: $(STAMP) ## what one worker costs and bears, simulated for 100 pods, into docs/scaling.md (ONLY=--simulate)
	@$(BIN)/python -m benchmarks.capacity $(ONLY)

bench-quick: $(STAMP) ## load one worker with wrk: requests/s, latency, memory
	@$(BIN)/python -m benchmarks.serve

bench-growth: $(STAMP) ## cost as names, history, trees, clients and workers grow, into benchmarks/GROWTH.md
	@$(BIN)/python -m benchmarks.growth

soak: $(STAMP) ## does anything grow? 200,000 mixed requests over every route; 1,000 half-sent headers
	@$(BIN)/python -m benchmarks.soak

bench-training: $(STAMP) ## a million bets trained on: within 3 minutes and 2 GiB?
	@$(BIN)/python -m benchmarks.training

bench-check: $(STAMP) ## what a graded bet costs in calls, the same on every machine; fails where it grew
	@$(BIN)/python -m benchmarks.check

pictures: $(STAMP) ## the screenshots in docs/, taken of the running product
	@$(BIN)/python -m tests.support.pictures

badges: $(STAMP) ## the extension on pages that never rest, 1,000 looks at each: no badge beside another price
	@BADGE_SAMPLES=1000 $(BIN)/python -m pytest -q tests/system/test_extension_badges.py

completion: $(STAMP) ## completion of the commands for shells, from the command lines themselves, into docs/completion.bash
	@$(BIN)/python -m tests.support.completion

client-types: $(STAMP) ## TypeScript types of the API for the example extension
	@$(BIN)/python -m pikkit.web.types > examples/chrome-extension/api.d.ts

bench-gates: $(STAMP) ## the README's targets as gates, by processor time: requests, p95, start, memory; cost in calls
	@$(BIN)/python -m benchmarks.check
	@$(BIN)/python -m benchmarks.serve --gates

validate: $(STAMP) ## judge the models in MODEL_DIR by BETS=FILE, against AGAINST=DIR or the last release's
	@MODEL_DIR="$(MODEL_DIR)" BETS="$(BETS)" AGAINST="$(AGAINST)" REPORT="$(REPORT)" training/validate.sh

test-n8n: $(STAMP) ## the workflow's test in a real n8n (installs it outside the checkout: 1.8 GB)
	@tests/support/install_n8n.sh
	@$(BIN)/python -m pytest -q -m n8n

mutants-rules: $(STAMP) ## change each alert and recording rule in each place: does a case notice? and a whole quiet night (needs promtool)
	@$(BIN)/python -m monitoring.prometheus.mutants
	@PIKKIT_NIGHT_HOURS=24 $(BIN)/python -m pytest -q tests/system/test_prometheus_config.py -k night

types: $(STAMP) ## mypy --strict
	@$(BIN)/mypy

lock: $(STAMP) ## compile requirements/*.txt from pyproject.toml (hashes, all platforms, no download addresses)
	@$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
	  pyproject.toml -o requirements/serve.txt
	@$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
	  --extra dev -c requirements/serve.txt pyproject.toml -o requirements/dev.txt

clean: ## remove everything that make made
	rm -rf $(VENV) .data .run dist .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage* coverage*.xml
