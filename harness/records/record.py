"""Floor: what every record is, and the one spelling of it that hashes are taken of."""

import hashlib

import msgspec

SCHEMA = 3
"""Version of every stored record; `upgrades.py` reads older ones."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Immutable, keyword-only, and an unknown field is an error."""


def canonical(record: object) -> bytes:
    """The one JSON spelling of a record that hashes are taken of: keys sorted, no spaces."""
    return msgspec.json.encode(msgspec.to_builtins(record), order="deterministic")


def digest(record: object, digits: int) -> str:
    return hashlib.sha256(canonical(record)).hexdigest()[:digits]
