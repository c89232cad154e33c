"""The JSON Schema of every stored record, for programs that read results without this package."""

from typing import Any, Dict, Tuple, Type

import msgspec

from harness.host.crosscheck.outcome import Crosscheck
from harness.host.runs import Run
from harness.host.tuning.account import Account
from harness.records import SCHEMA, Engine, Machine, Record, Reference, Result
from harness.records.proof import Proofs
from harness.upgrades import CONTENT

STORED: Tuple[Type[Record], ...] = (Result, Engine, Machine, Reference, Run, Crosscheck, Account, Proofs)
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Dict[str, Any]:
    """One document: any of the stored records, told apart by `kind`."""
    _, components = msgspec.json.schema_components(STORED, ref_template="#/$defs/{name}")
    for record in STORED:
        # What whoever writes the file puts beside the record's own fields; a record inside another has none of it.
        own = components[record.__name__]
        components[f"Stored{record.__name__}"] = {
            **own,
            "properties": {
                **own["properties"],
                CONTENT: {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "schema": {"const": SCHEMA},
            },
            "required": [*own["required"], CONTENT, "schema"],
        }
    return {
        "$schema": DRAFT,
        "title": f"Records of the inference benchmark harness, schema {SCHEMA}",
        "oneOf": [{"$ref": f"#/$defs/Stored{record.__name__}"} for record in STORED],
        "$defs": components,
    }
