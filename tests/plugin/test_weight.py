"""What the plugin costs those who don't use it."""

import pytest


def test_a_run_that_takes_no_rows_imports_no_numpy(pytester: pytest.Pytester) -> None:
    """Where no test uses the plugin neither NumPy nor msgspec nor a dataset is imported."""
    pytester.makepyfile(
        """
        import sys

        def test_one():
            assert "pytest_esdh.plugin" in sys.modules
            heavy = {"numpy", "msgspec", "ruamel", "pyarrow", "hypothesis", "esdh_core.dataset", "esdh_plan"}
            assert not heavy & sys.modules.keys()
        """
    )
    result = pytester.runpytest_subprocess(*(part for name in _others() for part in ("-p", f"no:{name}")))
    result.assert_outcomes(passed=1)


def _others() -> list[str]:
    """Return the plugins of this environment that aren't ours, by the names that pytest knows them by."""
    from importlib.metadata import entry_points

    return [each.name for each in entry_points(group="pytest11") if each.value != "pytest_esdh.plugin"]


def test_default_rows_need_core_alone(pytester: pytest.Pytester) -> None:
    """Rows of the default dataset, and their report, need neither esdh-plan nor Arrow; a plan says that it does."""
    pytester.makeconftest(
        """
        import sys
        sys.modules["esdh_plan"] = None
        sys.modules["pyarrow"] = None
        """
    )
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.esdh(records=2)
        def test_default(esdh, esdh_record): assert esdh.persons(2)[0] != esdh_record.person

        def test_plan(esdh): esdh.plan("bank")

        def test_defect(esdh): esdh.defect("persons", kind="typo")

        @pytest.mark.esdh(where="state == 'CA'")
        def test_where(esdh_record): pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=2, failed=2, errors=1)
    add = "needs esdh-plan, which isn't installed; `uv add --dev 'pytest-esdh[[]plan]'` adds it"
    result.stdout.fnmatch_lines(
        [
            f"where=\"state == 'CA'\" {add}",
            f"E *EsdhError: plan 'bank' {add}",
            f"E *EsdhError: kind='typo' {add}",
        ]
    )
