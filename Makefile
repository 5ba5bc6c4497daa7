.DEFAULT_GOAL := help
.PHONY: help demo demo-rolling demo-migration up repair plan deploy setup setup-server check style types shell imports docs \
	test test-vm test-slow test-pythons test-faults fuzz bench bench-server bench-shards bench-rolling pictures lock clean

# A home of its own and no calls to anybody: what runs here disturbs no other Prefect of the user.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Images of containers set it. Then each of the hundreds of processes of a test run compiles what it imports anew, and a
# small flow run costs 2.15 s of CPU instead of 1.5.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: ## a lab, a Prefect server, a nightly backup of real databases; ends by itself
	@scripts/setup.sh demo
	@$(BIN)/python -m lab.demos.demo

up: ## a larger lab, and it stays until Ctrl-C: UI, two workers, recovery, a site behind HAProxy
	@scripts/setup.sh demo
	@$(BIN)/python -m lab.demos.up

demo-rolling: ## a rolling update of a site behind HAProxy, under load; ends by itself
	@scripts/setup.sh demo
	@$(BIN)/python -m lab.demos.rolling_demo

demo-migration: ## a migration that succeeds and one that fails and is rolled back; ends by itself
	@scripts/setup.sh demo
	@$(BIN)/python -m lab.demos.migration_demo

plan: setup-server ## show what make deploy would change on the server at PREFECT_API_URL
	@$(BIN)/python -m deployments --plan

deploy: setup-server ## make the server have all that is declared: deployments, automations, limits, blocks, the work pool
	@$(BIN)/python -m deployments

repair: ## RUN=ID: put right what the rolling update with that flow run id left behind
	@BIN="$(BIN)" scripts/repair.sh "$(RUN)"

setup: ## install what is missing: system packages through apt, .venv from the lock
	@scripts/setup.sh all

setup-server: ## install what a server or a worker needs, and nothing of the tests
	@scripts/setup.sh server

check: style types shell imports docs ## style, types, shell scripts, import contracts, the documents' links

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

shell: setup
	git ls-files -z -- '*.sh' .ci/run | xargs -0 $(BIN)/shellcheck

imports: setup
	$(BIN)/lint-imports --no-logo

# Never with --quiet: then mkdocs counts no warnings, and a dead link passes. The variable switches off a banner of the theme.
docs: setup ## build the site of the documents into build/docs; a link that leads nowhere fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Tests wait more than they compute, so there are more processes than cores.
WORKERS ?= 5

test: setup ## every test but those of test-slow, in parallel; T=tests/unit/test_x.py runs a part, in one process
	$(BIN)/pytest $(or $(T),-n $(WORKERS))

test-vm: setup ## only the tests that boot a virtual machine: reboots, power cuts, systemd
	$(BIN)/pytest tests/vm

test-slow: setup ## what make test leaves out: real waiting times, gigabytes, all faults at full scale, a soak; hours
	BIN=$(BIN) scripts/test-slow.sh

test-pythons: setup ## the tests under each Python from 3.11 on that is installed; T=tests/unit runs a part under each
	T="$(T)" WORKERS=$(WORKERS) scripts/test-pythons.sh

test-faults: setup ## thousands of kills, cuts, full disks and a soak, and the table of docs/explanation/faults.md; SEED=n repeats one
	$(BIN)/python -m faults --scale full --seed $(or $(SEED),1) --write

fuzz: setup ## 100,000 random inputs for all that reads what others wrote
	$(BIN)/python -m faults.fuzz

bench: setup ## measure: real sshd and Ansible, backups, peers, thousands of simulated hosts, a Prefect server's load, shards
	$(BIN)/python -m bench
	$(BIN)/python -m bench.shares
	$(BIN)/python -m bench.agent
	$(BIN)/python -m bench.backup
	$(BIN)/python -m bench.readings
	$(BIN)/python -m bench.inventories
	$(BIN)/python -m bench.peers
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.command_line
	$(BIN)/python -m bench.controller
	$(BIN)/python -m bench.web
	$(BIN)/python -m bench.prefect.ui
	$(BIN)/python -m bench.distance.round_trips
	$(BIN)/python -m bench.distance.far
	$(BIN)/python -m bench.prefect.nightly
	$(BIN)/python -m bench.prefect.server
	$(BIN)/python -m bench.prefect.limit
	$(BIN)/python -m bench.prefect.shards

bench-server: setup ## attempts a second that a Prefect server records, on SQLite and on PostgreSQL with Redis, and from where it falls behind
	$(BIN)/python -m bench.prefect.server
	$(BIN)/python -m bench.prefect.limit

bench-shards: setup ## one command on many hosts as one run, in shards on one worker, and on two
	$(BIN)/python -m bench.prefect.shards

bench-rolling: setup ## one rolling update by this project and by Ansible's own playbook, side by side
	$(BIN)/python -m bench.rolling

pictures: setup ## take the pictures of the documents anew, from Prefect's own UI and from the live page
	$(BIN)/python -m lab.screenshots.pictures
	$(BIN)/python -m lab.screenshots.migration_pictures
	$(BIN)/python -m lab.screenshots.rolling_pictures
	$(BIN)/python -m lab.screenshots.live_page_picture
	$(BIN)/python -m lab.screenshots.recording

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	scripts/lock.sh

clean: ## remove what the lab and the tools left behind, not .venv
	rm -rf .lab .venv-3.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
