"""A schedule's trace as one JSON text, and back: TVM 0.27 cannot write those that lay weights out anew.

Its own JSON of a trace holds whatever it does not know as a live object (an index map); here such an object is `{"tvm":
its serialised text}`.
"""

import json
from typing import Any

LIVE = "tvm"


def written(trace: Any) -> str:
    """JSON text of a trace."""
    return json.dumps(_plain(trace.as_json()), separators=(",", ":"))


def revived(text: str) -> Any:
    """What TVM makes a trace of."""
    return _live(json.loads(text))


def _plain(value: Any) -> Any:
    import tvm

    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "items"):
        return {str(key): _plain(one) for key, one in value.items()}
    if hasattr(value, "__iter__"):
        return [_plain(one) for one in value]
    if type(value).__name__ in ("IntImm", "FloatImm"):
        return value.value
    return {LIVE: str(tvm.ir.save_json(value))}


def _live(value: Any) -> Any:
    import tvm

    if isinstance(value, dict):
        return (
            tvm.ir.load_json(value[LIVE]) if set(value) == {LIVE} else {key: _live(one) for key, one in value.items()}
        )
    if isinstance(value, list):
        return [_live(one) for one in value]
    return value
