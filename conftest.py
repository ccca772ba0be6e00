"""Loads tests/suite.py for every test, and pytester for those of the plugin."""

# All of it stands there because mypy takes one file of this name outside packages, and that is tests/perf/conftest.py.
pytest_plugins = ["suite", "pytester"]
