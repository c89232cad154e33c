"""Which names a version has: objects of the stand-in show these, note who is asked for what, and hide the others."""

from pathlib import Path
from typing import Any, Dict, FrozenSet, Set, Tuple

from harness.host import toml

TABLE: Dict[str, Dict[str, Any]] = toml.load(Path(__file__).with_name("names.toml"))
VERSIONS = tuple(TABLE["versions"])
CLASSES = tuple(name for name in TABLE if name != "versions")


def rows(kind: str) -> Dict[str, Dict[str, str]]:
    return {name: row for name, row in TABLE[kind].items() if name != "source"}


def offered(kind: str, version: str) -> FrozenSet[str]:
    """The names of a class (`module` for the module itself) in a version."""
    return frozenset(name for name, row in rows(kind).items() if row["in"] == "all" or version in row["in"].split())


class Names:
    """Of one version; `touched` are the names that were asked for and are there."""

    def __init__(self, version: str) -> None:
        self._offered = {kind: offered(kind, version) for kind in CLASSES}
        self.version = version
        self.touched: Set[Tuple[str, str]] = set()

    def touch(self, kind: str, name: str) -> None:
        if name not in self._offered[kind]:
            raise AttributeError(f"TensorRT {self.version} has no {kind}.{name}")
        self.touched.add((kind, name))


class Guarded:
    """A class of TensorRT: its public names are those of the version, whatever its Python class has."""

    _names: Names

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            object.__getattribute__(self, "_names").touch(type(self).__name__, name)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            self._names.touch(type(self).__name__, name)
        object.__setattr__(self, name, value)


class Member(int):
    """One value of an enumeration."""

    name: str

    def __new__(cls, value: int, name: str) -> "Member":
        made = super().__new__(cls, value)
        made.name = name
        return made


class Members:
    """An enumeration of TensorRT, with the values that the version has."""

    def __init__(self, names: Names, kind: str) -> None:
        every = list(rows(kind))
        self._names, self._kind = names, kind
        self.__members__ = {
            # Reasons why an engine is not valid can be several at a time.
            name: Member(1 << every.index(name) if "Diagnostics" in kind else every.index(name), name)
            for name in every
            if name in offered(kind, names.version)
        }

    def __getattr__(self, name: str) -> Member:
        if name.startswith("_"):
            raise AttributeError(name)
        self._names.touch(self._kind, name)
        return self.__members__[name]


class Dims:
    """A shape, as the binding has it: it can be indexed and has a length."""

    def __init__(self, sizes: Any) -> None:
        self._sizes = tuple(int(size) for size in sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> int:
        return self._sizes[index]
