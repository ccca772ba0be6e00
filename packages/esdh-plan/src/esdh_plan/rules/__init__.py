"""The rules, one file a family: each makes, of its words and its place, the function from a block to a column."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from esdh_plan import language
from esdh_plan.definitions import Definition, Place
from esdh_plan.rules import case, choice, computed, faker, identity, pattern, ranges

__all__ = ["RULES"]

RULES: Final[Mapping[type[language.Rule], Callable[[Any, Place], Definition]]] = {
    language.Id: identity.id_of,
    language.Sequence: identity.sequence,
    language.Value: identity.value,
    language.Choice: choice.choice,
    language.Integer: ranges.integer,
    language.DecimalRule: ranges.decimal_of,
    language.Date: ranges.date,
    language.Timestamp: ranges.timestamp,
    language.Pattern: pattern.pattern,
    language.Faker: faker.faker,
    language.Expr: computed.expr,
    language.Rollup: computed.rollup,
    language.Running: computed.running,
    language.Case: case.case,
}
