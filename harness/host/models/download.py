"""Fetches a published file by its address; nothing but the whole, right file ever gets its name."""

import http.client
import urllib.error
import urllib.request

from harness.errors import ModelError
from harness.host.models import wheel
from harness.host.models.manifest import Published

LIMIT_S = 60.0
"""Without a byte."""
CHUNK_BYTES = 1 << 20


def fetch(source: Published) -> bytes:
    """The file's bytes, kept in memory until they are known to be right."""
    try:
        with urllib.request.urlopen(source.url, timeout=LIMIT_S) as answer:
            data = _read(answer, source)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:200]  # of no HTTP it is what the server sent
        raise ModelError(f"{source.url}: {reason}; is the network there? Nothing was kept") from None
    wheel.check(data, source.sha256, source.url)
    return data


def _read(answer: "urllib.request.addinfourl", source: Published) -> bytes:  # type: ignore[name-defined]
    """Stops at more bytes than the file can have: an address that changed may answer with anything."""
    data = bytearray()
    while len(data) <= source.size_bytes:
        part = answer.read(CHUNK_BYTES)
        if not part:
            break
        data += part
    if len(data) < source.size_bytes:
        raise ModelError(
            f"{source.url}: broke off after {len(data)} of {source.size_bytes} bytes; nothing was kept, run it again"
        )
    return bytes(data)
