"""esdh reproduce: the whole record behind any id, from the id alone."""

import click

from esdh_cli.documents import print_document
from esdh_cli.errors import sentences

__all__ = ["reproduce"]

_EXAMPLES = """\b
Examples:
  esdh reproduce 7325de0f-b0c4-806c-8636-3e3a1bdbceb4
  esdh reproduce --json 7b847f8b-0bf6-8164-86ee-1e9155a80ffc d4ab67fe-6799-8d2d-99be-841b118c6dc9
"""


@click.command(
    epilog=_EXAMPLES,
    short_help="Print the record behind any id.",
    help="""Print the person, vehicle and profile behind each ID, of any entity.

    An id holds the seed, the dataset version, the entity and the record's number; no other record is
    made. Capitals, braces, urn:uuid:, missing dashes and white space around an ID are read; it is printed
    as ESDH writes it. An id that isn't ours is refused with the reason, after the others were printed.
    """,
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reproduce(ids: tuple[str, ...], *, as_json: bool) -> None:
    """Run `esdh reproduce`."""
    with sentences():
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
                "person": record.person,
                "vehicle": record.vehicle,
                "profile": record.profile,
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
            for entity, struct in (
                ("person", record.person),
                ("vehicle", record.vehicle),
                ("profile", record.profile),
            ):
                click.echo(f"\n{entity}")
                for name in struct.__struct_fields__:
                    value = getattr(struct, name)
                    click.echo(f"  {name:<22} {'' if value is None else value}".rstrip())
    for each in refused:
        click.echo(f"Error: {each['message']}", err=True)
    if refused:
        raise SystemExit(1)
