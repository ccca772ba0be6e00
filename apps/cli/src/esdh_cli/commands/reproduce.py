"""esdh reproduce: the whole record behind any id, from the id alone."""

from typing import Any

import click
from esdh_core.datasets import catalog

from esdh_cli.errors import exit_on_error
from esdh_cli.output import print_document

__all__ = ["reproduce"]

*_FIRST, _LAST = catalog.TABLES.values()
_PARTS = f"{', '.join(_FIRST)} and {_LAST}"

_EXAMPLES = f"""\b
Examples:
  esdh reproduce {catalog.EXAMPLE_IDS[0]}
  esdh reproduce --json {" ".join(catalog.EXAMPLE_IDS[1:])}
"""


@click.command(
    epilog=_EXAMPLES,
    short_help="Print the record behind any id.",
    help=f"""Print the {_PARTS} behind each ID, of any entity.

    An id holds the seed, the dataset version, the entity and the record's number; no other record is
    made. Capitals, braces, urn:uuid:, missing dashes and white space around an ID are read; it is printed
    as ESDH writes it. An id that isn't ours is refused with the reason, after the others were printed.
    """,
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reproduce(ids: tuple[str, ...], *, as_json: bool) -> None:
    """Run `esdh reproduce`."""
    with exit_on_error():
        from esdh_core import IdError, canonical_id, reproduce_record

        found, refused = [], []
        for text in ids:
            try:
                found.append((canonical_id(text), reproduce_record(text)))
            except IdError as error:
                refused.append({"id": text, "message": str(error)})
    if as_json:
        records = [
            {
                "id": text,
                "seed": record.id.seed,
                "dataset_version": record.id.dataset_version,
                "entity": record.id.entity,
                "index": record.id.index,
                **_rows(record),
            }
            for text, record in found
        ]
        print_document({"records": records, "errors": refused}, indent=False)
    else:
        for number, (text, record) in enumerate(found):
            if number:
                click.echo()
            origin = record.id
            click.echo(
                f"{text} is {origin.entity} {origin.index} of seed {origin.seed}, dataset version {origin.dataset_version}"
            )
            for entity, struct in _rows(record).items():
                click.echo(f"\n{entity}")
                for name in struct.__struct_fields__:
                    value = getattr(struct, name)
                    click.echo(f"  {name:<22} {'' if value is None else value}".rstrip())
    for each in refused:
        click.echo(f"Error: {each['message']}", err=True)
    if refused:
        raise SystemExit(1)


def _rows(record: Any) -> dict[str, Any]:
    """Return the rows of a record, by what a row of their table is called."""
    return {name: row for name, row in record._asdict().items() if name != "id"}
