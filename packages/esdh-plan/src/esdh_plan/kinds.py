"""What the types of a Struct's fields say: one form for the converter and for the JSON Schema.

`msgspec.inspect` describes the types that msgspec decodes in the same way; ours mix what no format of its tells apart,
such as a share and a number of rows.
"""

import dataclasses
import functools
import types
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Meta, structs

__all__ = ["FieldKind", "Kind", "Scalar", "fields_of", "kind_of"]


class Scalar:
    """A base for types that read one value of their own kind, such as a share that is written as `8%`."""

    expected: ClassVar[str]
    """What would be right, in words that follow `expected`."""
    schema: ClassVar[dict[str, Any]]
    """Its JSON Schema."""

    @classmethod
    def read(cls, value: Any) -> Any:
        """Return the value of this type that a text or a number of the file stands for, None if for none."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Kind:
    """A type: its base with what stands in brackets, and what `Meta` says of it.

    `base` is bool, int, float, str, Decimal, NoneType, list, tuple, dict, Literal, Union, Any or a class (a Struct or a
    Scalar); `args` are kinds, the values of a Literal, or nothing.
    """

    base: Any
    args: tuple[Any, ...]
    meta: tuple[Meta, ...]

    def say(self, name: str) -> Any:
        """Return what Meta says under a name (`ge`, `pattern`, `description`), the outermost first, or None."""
        said = (getattr(meta, name) for meta in reversed(self.meta))
        return next((one for one in said if one is not None), None)

    @functools.cached_property
    def expected(self) -> str | None:
        """The words for what would be right, from `Meta(extra={"expected": ...})`."""
        said = (
            meta.extra["expected"] for meta in reversed(self.meta) if meta.extra and "expected" in meta.extra
        )
        return next(said, None)

    @functools.cached_property
    def is_struct(self) -> bool:
        """Whether it is a Struct."""
        return isinstance(self.base, type) and issubclass(self.base, msgspec.Struct)

    @functools.cached_property
    def is_scalar(self) -> bool:
        """Whether it reads its values by itself."""
        return isinstance(self.base, type) and issubclass(self.base, Scalar)

    @functools.cached_property
    def options(self) -> list["Kind"]:
        """The kinds of a union, which keep what is said of the whole, or this one.

        Null isn't any of them: a key that says nothing is left out.
        """
        if self.base is Union:
            inner = [option for kind in self.args for option in kind.options]
            return [dataclasses.replace(option, meta=(*self.meta, *option.meta)) for option in inner]
        return [] if self.base is types.NoneType else [self]


_BASES = {bool, int, float, str, Decimal, types.NoneType, Any}


def kind_of(form: Any) -> Kind:
    """Return the kind of a type as it is written in Python.

    Raises TypeError for one that no value of a file can have.
    """
    if get_origin(form) is Annotated:
        inner, *meta = get_args(form)
        kind = kind_of(inner)
        return dataclasses.replace(kind, meta=(*kind.meta, *(one for one in meta if isinstance(one, Meta))))
    origin, args = get_origin(form), get_args(form)
    if origin in (Union, types.UnionType):
        return Kind(Union, tuple(map(kind_of, args)), ())
    if origin is Literal:
        return Kind(Literal, args, ())
    if origin in (list, dict, tuple):
        return Kind(origin, tuple(arg if arg is Ellipsis else kind_of(arg) for arg in args), ())
    kind = Kind(types.NoneType if form is None else form, (), ())
    if kind.base in _BASES or kind.is_struct or kind.is_scalar:
        return kind
    raise TypeError(f"a Struct's field can't be {form!r}: no value of a file is")


class FieldKind(NamedTuple):
    """A field of a Struct: its name in Python, its kind, and whether a file must have it."""

    name: str
    kind: Kind
    required: bool


@functools.cache
def fields_of(struct: type) -> Mapping[str, FieldKind]:
    """Return the fields of a Struct by the keys that a file has."""
    return types.MappingProxyType(
        {
            field.encode_name: FieldKind(field.name, kind_of(field.type), field.required)
            for field in structs.fields(struct)
        }
    )
