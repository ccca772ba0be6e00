"""Plans that were changed at random: each is a dataset, or is refused with places; nothing else ever happens."""

import copy
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from esdh_core.dataset import Dataset
from esdh_plan.errors import MAX_FAULTS, PlanError
from esdh_plan.language import draft_of
from esdh_plan.reader import read_draft, read_yaml
from esdh_plan.recipe import compile_plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PLANS = Path(__file__).parent / "plans"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PLANS.glob("*.yaml"))}
CONTENTS = {name: read_yaml(text, name).content for name, text in TEXTS.items()}
POOLS = {"company/de_DE/5": ["Aal", "Buch", "Cent", "Dorf", "Eck"], "city/en_US/3": ["Ames", "Bath", "Ames"]}

Path_ = tuple[Any, ...]


def paths_of(value: Any, path: Path_ = ()) -> list[Path_]:
    """Return the paths of all values in a plan."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, inner in items for each in paths_of(inner, (*path, key)))]


def at(content: Any, path: Path_) -> Any:
    """Return the value at a path."""
    for key in path:
        content = content[key]
    return content


PARTS = [(name, path) for name, content in CONTENTS.items() for path in paths_of(content)]
KEYS = sorted({str(path[-1]) for _, path in PARTS if path and isinstance(path[-1], str)})
TEXTS_OF_VALUES = sorted(
    {value for name, path in PARTS if isinstance(value := at(CONTENTS[name], path), str)}
)
SCALARS = st.one_of(
    st.sampled_from(TEXTS_OF_VALUES),
    st.sampled_from(KEYS),
    st.integers(-(1 << 65), 1 << 65),
    st.integers(-3, 300),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=2),
    st.booleans(),
    st.none(),
    st.sampled_from(
        ["", "70%", "1/3", "1/0", "k", "parent.k", "2024-06-01", "today", "a.b.c", "[A-Z]{9}", "~", "é"]
    ),
    st.sampled_from(
        ["10**10**10", "().__class__", "a" * 300, "9" * 60, "0x10", "sum(a)", "x if y else z", "\n", "'"]
    ),
    st.text(max_size=8),
)


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """Plans with one to four changes: a part taken out, given twice, renamed, replaced by a scalar or by another part."""
    content = copy.deepcopy(CONTENTS[draw(st.sampled_from(sorted(CONTENTS)))])
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(paths_of(content)))
        if not path:
            continue
        holder, key = at(content, path[:-1]), path[-1]
        match draw(st.sampled_from(["delete", "scalar", "part", "rename", "copy", "wrap"])):
            case "delete":
                del holder[key]
            case "scalar":
                holder[key] = draw(SCALARS)
            case "part":
                name, other = draw(st.sampled_from(PARTS))
                holder[key] = copy.deepcopy(at(CONTENTS[name], other))
            case "rename" if isinstance(holder, dict):
                inner = holder.pop(key)
                holder[draw(st.one_of(st.sampled_from(KEYS), SCALARS))] = inner
            case "copy" if isinstance(holder, dict):
                holder[draw(st.sampled_from(KEYS))] = copy.deepcopy(holder[key])
            case _:
                holder[key] = (
                    [holder[key]] if draw(st.booleans()) else {draw(st.sampled_from(KEYS)): holder[key]}
                )
    return content


def written(value: Any) -> str:
    """Return a value as YAML in flow style."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written(key)}: {written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=True)


def check(text: str | bytes) -> None:
    """Load a plan; of one that is refused, look at what is told."""
    dataset, faults = None, []
    try:
        dataset = compile_plan(draft_of(read_draft(text, "mutant.yaml")), PLANS, pools=POOLS)
    except PlanError as error:
        faults = error.faults
    assert isinstance(dataset, Dataset) or 1 <= len(faults) <= 2 * MAX_FAULTS
    for fault in faults:
        assert fault.reason.isprintable()
        assert 1 <= len(fault.reason) < 1_000
        assert fault.line or text.strip() in ("", "{}")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(mutants())
def test_changed_parts(content: Any) -> None:
    """A plan whose parts were changed is a dataset, or is refused with a line and a sentence for each fault."""
    check(written(content))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_changed_lines(name: str, data: st.DataObject) -> None:
    """A plan whose lines or characters were changed is a dataset, or is refused so."""
    lines = TEXTS[name].splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        place = data.draw(st.integers(0, len(line)))
        lines[number] = data.draw(
            st.sampled_from(
                [
                    "",
                    f"{line}\n{line}",
                    f"  {line}",
                    line[:place] + line[place + 1 :],
                    line[:place]
                    + data.draw(st.sampled_from(list("{}[]:,'\"#&*!|>%@`-?0 \té\x00")))
                    + line[place:],
                    line[:place] + line[place + 1 : place + 2] + line[place : place + 1] + line[place + 2 :],
                ]
            )
        )
    check("\n".join(lines))


@pytest.mark.parametrize("name", TEXTS)
def test_written_plans_are_the_plans(name: str) -> None:
    """Unchanged, a plan that is written so compiles to the dataset that it was."""
    plain = compile_plan(draft_of(read_draft(TEXTS[name], "plan.yaml")), PLANS, pools=POOLS)
    assert (
        plain.plan_sha256
        == compile_plan(
            draft_of(read_draft(written(CONTENTS[name]), "plan.yaml")), PLANS, pools=POOLS
        ).plan_sha256
    )
