"""The plan says everything of every field, and only what the Structs and rules say."""

import hashlib

import msgspec
from esdh_core import DEFAULT_DATASET, ENTITIES, plan_markdown, plan_text
from esdh_core.plan import Plan

PLAN = DEFAULT_DATASET.plan


def test_every_field_is_planned_in_order() -> None:
    """The plan names every field of every Struct, in order, with a rule."""
    for entity, planned in zip(ENTITIES, PLAN.entities, strict=True):
        assert list(entity.record.__struct_fields__) == [field.name for field in planned.fields]
        assert all(field.rule and field.description for field in planned.fields)


def test_entities_are_described() -> None:
    """Every entity has a description of its own, beside its Struct's docstring, which `python -OO` drops."""
    descriptions = [entity.description for entity in DEFAULT_DATASET.plan.entities]
    assert ["A person who never existed.", "A vehicle that was never built."] == descriptions[:2]
    assert all(descriptions)


def test_random_fields_tell_stream_odds_and_source() -> None:
    """A field with a stream tells its odds and where they come from."""
    for entity in PLAN.entities:
        for field in entity.fields:
            assert not field.streams or (field.distribution and field.source), field.name


def test_only_one_field_is_nullable() -> None:
    """`address_line_2` is the only field that may be null."""
    nullable = [(e.name, field.name) for e in PLAN.entities for field in e.fields if field.nullable]
    assert nullable == [("person", "address_line_2")]


def test_plan_reads_back() -> None:
    """The JSON form decodes to the plan, and its SHA-256 is of exactly those bytes."""
    assert PLAN == msgspec.json.decode(DEFAULT_DATASET.plan_json, type=Plan)
    assert hashlib.sha256(DEFAULT_DATASET.plan_json).hexdigest() == DEFAULT_DATASET.plan_sha256


def test_every_field_has_a_hash() -> None:
    """Every field of every entity has a hash; fields with the same plan have the same."""
    hashes = DEFAULT_DATASET.field_hashes
    assert list(hashes) == [f"{e.entity}.{field}" for e in ENTITIES for field in e.fields]
    assert hashes["person.synthetic_source"] == hashes["profile.synthetic_source"]
    assert len(set(hashes.values())) == len(hashes) - 2


def test_text_and_markdown_name_every_field() -> None:
    """The forms for people name every field and every stream."""
    for form in (plan_text(DEFAULT_DATASET), plan_markdown(DEFAULT_DATASET)):
        for entity in PLAN.entities:
            for field in entity.fields:
                assert field.name in form
                assert all(stream in form for stream in field.streams)
