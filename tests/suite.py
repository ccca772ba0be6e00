"""What holds for every test: how the suite is spread over the cores, and what no test may depend on."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, or is drawn, depends on what else the machine does.
settings.register_profile("esdh", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure() -> None:
    """Start as a terminal would start us."""
    settings.load_profile("esdh")
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # a shell's `just test &`; processes of ours inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` starts: one a core, as a snapshot does."""
    from esdh_export.execution.cpu import usable_cores  # core's own tests run without export

    return usable_cores()
