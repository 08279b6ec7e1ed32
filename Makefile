# Foretide. `make` lists the targets; README.md has the two commands to know, CONTRIBUTING.md the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export CLUSTER ?= embedded
# Where it is set, each of some thirty Python processes would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

# --- set-up -------------------------------------------------------------------------------------------------------
$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@e2e/setup-python.sh "$(PYTHON)" "$(VENV)"
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with the locked dependencies.

# --- main job -----------------------------------------------------------------------------------------------------
.PHONY: demo
demo: setup ## Cluster, operator, a real model under two days of a real trace; about 9 minutes when warm.
	@$(BIN)/python -m e2e.demo $(DEMO_ARGS)

# --- tests --------------------------------------------------------------------------------------------------------
.PHONY: lint
lint: setup ## ruff, mypy --strict and the import rules.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy operator/foretide e2e tests bench manifests
	$(BIN)/lint-imports

.PHONY: unit
unit: setup ## Unit and property tests.
	$(BIN)/python -m foretide.simulate.compile
	$(BIN)/pytest tests --numprocesses=auto --dist=worksteal --quiet

.PHONY: generated
generated: setup ## Fail when generated files are not what their sources say: CRDs, install.yaml, dashboards, pages.
	$(BIN)/python -m foretide.api.crdgen --check
	$(BIN)/python -m foretide.api.reference --check
	$(BIN)/python -m foretide.cli.reference --check docs/cli.md
	$(BIN)/python -m foretide.app.metrics_page --check
	$(BIN)/python -m manifests.dashboards --check

.PHONY: check
check: setup ## Lint, types, layers, generated files, unit tests: what to run before each commit.
	@$(MAKE) --no-print-directory --jobs=2 lint generated unit

.PHONY: e2e
e2e: setup ## End-to-end tests on the cluster; at the end the embedded one is taken down, and nothing of it is left.
	$(BIN)/python -m e2e.cluster up
	$(BIN)/pytest e2e -m "not cluster_lifecycle and not proof and not slow_fault and not exhaustive" --timeout=300 --durations=15
	$(BIN)/pytest e2e -m cluster_lifecycle --durations=5
	$(BIN)/python -m e2e.cluster down

.PHONY: test
test: check e2e ## All tests.

.PHONY: faults
faults: setup ## The whole fault matrix, docs/fault-matrix.md, beside any cluster; 40 minutes. FAULTS="-k F07" for one.
	$(BIN)/pytest e2e/faults --numprocesses=2 --dist=loadfile --timeout=600 --durations=15 $(FAULTS)

.PHONY: exhaustive
exhaustive: setup ## Deaths at every write, every event disturbed, every change of a spec, every verb; half an hour and more.
	$(BIN)/pytest e2e/exhaustive e2e/test_rights.py --timeout=600 --durations=15 $(EXHAUSTIVE)

.PHONY: soak
soak: setup ## Random faults of the matrix on ten services under load: HOURS=1 SEED=1; build/soak/SEED.json says what held.
	$(BIN)/python -m e2e.faults.soak --hours=$(or $(HOURS),1) --seed=$(or $(SEED),1)

.PHONY: proof
proof: setup ## Promises that take tens of minutes each to measure, two and a half hours in all; PROOF="-k ramps" for one.
	$(BIN)/python -m e2e.cluster up
	$(BIN)/pytest e2e/proofs --timeout=4000 $(PROOF)

# --- documentation ------------------------------------------------------------------------------------------------
.PHONY: docs
docs: setup ## Build the site of the documentation into build/site; a link that leads nowhere fails.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: sbom
sbom: setup ## The bill of materials of the operator's image (CycloneDX) and its licences, into build/sbom.
	$(BIN)/python -m manifests.sbom

# --- benchmarks ---------------------------------------------------------------------------------------------------
.PHONY: bench-scaling
bench-scaling: setup ## Every autoscaler on real traces; an hour on two processors, goes on where it was stopped.
	$(BIN)/python -m bench.scaling $(BENCH_ARGS)

.PHONY: bench-live
bench-live: setup ## Foretide beside HPA and KEDA on the embedded cluster; two and a half hours, goes on where it was stopped.
	$(BIN)/python -m bench.live $(BENCH_ARGS)

.PHONY: bench-serving
bench-serving: setup ## The derived configuration against Triton's own and a sweep, on a real Triton; 25 minutes.
	$(BIN)/python -m bench.serving $(BENCH_ARGS)

.PHONY: bench-reconcile
bench-reconcile: setup ## A burst of 100 to 3,000 services on a real API server, beside a bare loop and KServe; an hour and a half.
	$(BIN)/python -m bench.reconcile $(BENCH_ARGS)

.PHONY: bench-backtest
bench-backtest: setup ## How long `kubectl foretide backtest` takes, of one service and of a hundred; ten minutes.
	$(BIN)/python -m bench.backtest $(BENCH_ARGS)

.PHONY: bench-ticks
bench-ticks: setup ## Ticks of one operator with 100, 1,000 and 5,000 services on real servers; two hours, as root.
	$(BIN)/python -m bench.ticks $(BENCH_ARGS)

# --- cluster ------------------------------------------------------------------------------------------------------
.PHONY: cluster
cluster: setup ## Bring the embedded cluster up (idempotent).
	@$(BIN)/python -m e2e.cluster up

.PHONY: cluster-down
cluster-down: setup ## Take the embedded cluster down; nothing of it stays on the machine but the cache.
	@$(BIN)/python -m e2e.cluster down

.PHONY: cluster-status
cluster-status: setup ## What of the embedded cluster runs.
	@$(BIN)/python -m e2e.cluster status

# --- generated files ----------------------------------------------------------------------------------------------
.PHONY: crds
crds: setup ## Generate crds/ and the chart's copy from the pydantic models.
	$(BIN)/python -m foretide.api.crdgen

.PHONY: manifests
manifests: crds ## Render manifests/install.yaml from the chart.
	$(BIN)/python manifests/render.py

.PHONY: pages
pages: setup ## Generate docs/api-reference.md, docs/metrics.md, the reference in docs/cli.md and the Grafana dashboards.
	$(BIN)/python -m foretide.api.reference
	$(BIN)/python -m foretide.cli.reference docs/cli.md
	$(BIN)/python -m foretide.app.metrics_page
	$(BIN)/python -m manifests.dashboards

.PHONY: lock
lock: setup ## Resolve the dependencies of pyproject.toml anew, with hashes.
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml --extra cli -o requirements/operator.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate pyproject.toml --extra dev -o requirements/dev.txt
