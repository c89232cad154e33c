"""Where a board's Docker engine answers, as the user writes it; only this module knows what such an address may be."""

import re
from typing import List, NamedTuple, Optional
from urllib.parse import urlsplit

from harness.errors import PlanError

FORMS = "ssh://user@host:port, unix:///path or tcp://host:port with TLS"
SSH = re.compile(r"ssh://(?:([\w][\w.-]*)@)?([A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?", re.ASCII)
OTHERS = re.compile(r"unix:///[^\0\n]+|tcp://(?:[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?", re.ASCII)


def check(address: str, where: str) -> None:
    """Raises PlanError for what is no address, or holds what boards.toml must not; the address is not repeated then."""
    if re.match(r"[a-z+]*://[^/@]*:[^/]*@", address):
        raise PlanError(
            f"{where}: the address holds a password, and this file no secrets; give ssh a key (ssh-copy-id), which "
            "its agent keeps"
        )
    if not SSH.fullmatch(address) and not OTHERS.fullmatch(address):
        raise PlanError(f"{where}: {address[:100]!a} is no address of an engine; write {FORMS}")


class Ssh(NamedTuple):
    """How to reach a board over ssh."""

    host: str
    user: Optional[str]
    port: Optional[str]

    def command(self, remote: str, *options: str) -> List[str]:
        """The system's own ssh: its agent, its known hosts, its configuration; it asks nothing and takes no new key."""
        port = ["-p", self.port] if self.port else []
        user = ["-l", self.user] if self.user else []
        checked = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        return ["ssh", "-T", *checked, *options, *port, *user, "--", self.host, remote]


def ssh(address: Optional[str], where: str) -> Optional[Ssh]:
    """None where the engine is not reached over ssh."""
    if address is None or urlsplit(address).scheme != "ssh":
        return None
    check(address, where)
    found = SSH.fullmatch(address)
    assert found is not None, "check let it through"
    user, host, port = found.groups()
    return Ssh(host.strip("[]"), user, port)


def is_here(address: Optional[str]) -> bool:
    """Whether no network lies between; None is this machine's own engine."""
    return address is None or address.startswith(("unix://", "http+unix://", "/"))
