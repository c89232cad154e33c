"""Asks a registry which digest a tag has today. Only this module speaks the registry's protocol.

Source: OCI Distribution Specification 1.1 (manifests, content digests) and Docker's token authentication. No account is
used: what a pin names is public.
"""

import hashlib
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

import requests
from docker.auth import resolve_repository_name
from requests.utils import parse_dict_header

from harness.errors import LaunchError

LIMIT_S = 30
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LOCAL_HOSTS = ("localhost", "127.0.0.1")


def digest(reference: str, platform: str) -> str:
    """`sha256:...` of what `reference` (`host/name:tag`) is now.

    Of a tag that holds several platforms, the digest of `platform`'s own manifest (`linux/arm64`); with an empty
    platform that of the whole index, which serves any. LaunchError where the registry does not tell.
    """
    repository, _, tag = reference.rpartition(":")
    host, name = resolve_repository_name(repository)
    if host == "docker.io":
        host = "registry-1.docker.io"
        name = name if "/" in name else f"library/{name}"
    scheme = "http" if urlsplit(f"//{host}").hostname in LOCAL_HOSTS else "https"
    try:
        answer = _get(f"{scheme}://{host}/v2/{name}/manifests/{tag}", name)
    except requests.RequestException as error:
        raise LaunchError(f"{reference}: the registry {host} cannot be reached: {error}") from None
    if answer.status_code != 200:
        raise LaunchError(f"{reference}: the registry {host} answers {answer.status_code}: {_reason(answer)}")
    if answer.headers.get("Content-Type", "").partition(";")[0] in INDEX_TYPES and platform:
        try:
            return _of_platform(answer.json(), platform, reference)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise LaunchError(f"{reference}: the registry {host} answers with an index that is none: {error}") from None
    # Computed, not believed: the digest is the hash of these very bytes.
    return f"sha256:{hashlib.sha256(answer.content).hexdigest()}"


def _of_platform(index: Dict[str, Any], platform: str, reference: str) -> str:
    there = {}
    for one in index.get("manifests", []):
        about = one.get("platform", {})
        words = [about.get("os"), about.get("architecture"), about.get("variant")]
        there["/".join(word for word in words if word)] = one["digest"]
    for name, found in there.items():
        if name == platform or name.startswith(f"{platform}/"):
            return str(found)
    raise LaunchError(f"{reference}: no image for {platform} there; there are: {', '.join(sorted(there)) or 'none'}")


def _get(url: str, name: str) -> requests.Response:
    headers = {"Accept": ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))}
    answer = requests.get(url, headers=headers, timeout=LIMIT_S)
    if answer.status_code == 401:
        token = _token(answer.headers.get("WWW-Authenticate", ""), name)
        if token is not None:
            answer = requests.get(url, headers={**headers, "Authorization": f"Bearer {token}"}, timeout=LIMIT_S)
    return answer


def _token(challenge: str, name: str) -> Optional[str]:
    """What the registry's own door gives to anyone for reading `name`; None where it wants an account."""
    kind, _, rest = challenge.partition(" ")
    asked = parse_dict_header(rest) if kind.lower() == "bearer" else {}
    realm = asked.get("realm")
    if realm is None:
        return None
    params = {"scope": asked.get("scope", f"repository:{name}:pull")}
    if "service" in asked:
        params["service"] = asked["service"]
    answer = requests.get(realm, params=params, timeout=LIMIT_S)
    if answer.status_code != 200:
        return None
    found = answer.json()
    token: Optional[str] = found.get("token") or found.get("access_token")
    return token


def _reason(answer: requests.Response) -> str:
    try:
        return "; ".join(f"{one['code']} {one.get('message', '')}".strip() for one in answer.json()["errors"])
    except (ValueError, KeyError, TypeError):
        return answer.reason or "no reason given"
