"""Names that a package imports when they are first used, so that a command pays for no more than it needs."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]], *, others: str | None = None
) -> Callable[[str], object]:
    """Return a module-level `__getattr__` (PEP 562) for a package that presents names of its modules.

    `modules` gives, for each module of the package, the names that come from it; of the module `others` come all
    names in its own `__all__`. Type checkers read the same names from imports under `TYPE_CHECKING`.
    """
    origins = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name in origins:
            return getattr(import_module(f"{package}.{origins[name]}"), name)
        # Python and its tools look for many names that begin with an underscore; a module is looked for so, too.
        if others is not None and not name.startswith("_") and name not in (*modules, others):
            module = import_module(f"{package}.{others}")
            if name in module.__all__:
                return getattr(module, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
