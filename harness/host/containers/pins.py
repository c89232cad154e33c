"""The pins of `docker/jetpacks.toml`: what a JetPack's container is made of, and which hosts can run it.

Only this module reads and writes that file. No Python code knows one JetPack from another.
"""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Type, TypeVar

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from harness import upgrades
from harness.errors import LaunchError, PlanError
from harness.host import toml
from harness.host.nearest import nearest
from harness.records import Record, digest

DOCKER = Path(__file__).resolve().parents[3] / "docker"
PINS = DOCKER / "jetpacks.toml"
NONE = "none"
"""What JETPACK says to measure without a container where one would be the default."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What an image's tag and a file may be called."""


class Pin(Record, frozen=True):
    family: str
    """Names the Dockerfile and the requirements."""
    base: str
    base_digest: str
    """`sha256:...` of the base's manifest for `platform`; empty until `make pin` has asked the registry."""
    devel: str
    devel_digest: str
    platform: str
    """Docker's platform; empty is the engine's own."""
    l4t: List[str]
    """Version specifiers of the hosts it runs on; empty is any machine."""
    cuda: str
    tensorrt: str
    tvm: str
    """A release's tag where it is built from source, or the version of its wheel."""
    python: str
    modules: List[str]
    compute_capability: List[str]

    @property
    def pinned(self) -> bool:
        return bool(self.base_digest and self.devel_digest)

    def runs_on(self, l4t: Optional[str]) -> bool:
        """Whether a host of this L4T (None: no Jetson) can run it."""
        if not self.l4t:
            return True
        return l4t is not None and SpecifierSet(",".join(self.l4t)).contains(_version(l4t))

    def files(self) -> Dict[str, bytes]:
        """The build context: name to bytes."""
        names = [f"{self.family}.Dockerfile", f"requirements/{self.family}.txt"]
        absent = [name for name in names if not (DOCKER / name).exists()]
        if absent:
            raise PlanError(f"{DOCKER}: family {self.family!r} has no {' and no '.join(absent)}; write it first")
        return {name: (DOCKER / name).read_bytes() for name in names}

    def content(self) -> str:
        """Hash of everything that decides what the image holds."""
        return digest([self, {name: data.decode() for name, data in self.files().items()}], 12)


class Refused(Record, frozen=True):
    """Hosts that no image can serve."""

    l4t: List[str]
    reason: str


class Pins(NamedTuple):
    pins: Dict[str, Pin]
    refused: List[Refused]

    def get(self, name: str) -> Pin:
        if name not in self.pins:
            raise PlanError(f"JETPACK: there is no pin {name!r}{nearest(name, self.pins)}")
        return self.pins[name]

    def serving(self, l4t: Optional[str]) -> List[str]:
        """Names of the pins that a host of this L4T can run and that are made for one, newest first."""
        names = [name for name, pin in self.pins.items() if pin.l4t and pin.runs_on(l4t)]
        return sorted(names, key=_version, reverse=True)

    def default(self, l4t: Optional[str]) -> Optional[str]:
        """The newest pin a Jetson can run; None for a machine that is no Jetson."""
        if l4t is None:
            return None
        for refused in self.refused:
            if SpecifierSet(",".join(refused.l4t)).contains(_version(l4t)):
                raise LaunchError(f"this host runs L4T {l4t}: {refused.reason}")
        serving = self.serving(l4t)
        if not serving:
            raise LaunchError(
                f"this host runs L4T {l4t}, which no pin of {PINS.name} serves; JETPACK=none goes without"
            )
        return serving[0]

    def check(self, name: str, l4t: Optional[str], board: str) -> Pin:
        """The pin, if the board can run it; before anything is pulled."""
        pin = self.get(name)
        if pin.runs_on(l4t):
            return pin
        if l4t is None:
            others = ", ".join(key for key, one in self.pins.items() if not one.l4t)
            raise LaunchError(
                f"JETPACK={name}: its image needs a Jetson with L4T {', '.join(pin.l4t)}; board {board} is none that "
                f"tells its L4T. Pins that run on any machine: {others}"
            )
        self.default(l4t)  # a host that none serves has its own reason
        raise LaunchError(
            f"JETPACK={name}: its image needs L4T {', '.join(pin.l4t)}; board {board} runs L4T {l4t}. "
            f"Pins for it: {', '.join(self.serving(l4t))}"
        )


def load(path: Path = PINS) -> Pins:
    raw = toml.load(path)
    pins, refused = raw.pop("pin", {}), raw.pop("refused", [])
    if raw or not isinstance(pins, dict) or not isinstance(refused, list):
        raise PlanError(
            f"{path}: unknown {', '.join(raw) or 'form'}; a pin is [pin.NAME], hosts without one [[refused]]"
        )
    return Pins(
        {name: _pin(f"{path}: [pin.{name}]", name, one) for name, one in pins.items()},
        [_converted(f"{path}: [[refused]]", one, Refused) for one in refused],
    )


def _pin(where: str, name: str, raw: object) -> Pin:
    pin = _converted(where, raw, Pin)
    for text in (name, pin.family):
        if not NAME.fullmatch(text):
            raise PlanError(f"{where}: {text!r} is no name; use letters, digits and ._-")
    for field in ("base_digest", "devel_digest"):
        value = getattr(pin, field)
        if value and not DIGEST.fullmatch(value):
            raise PlanError(f"{where}: {field} {value!r} is no digest: sha256: and 64 hexadecimal digits, or empty")
    if pin.l4t:
        try:
            Version(name)
        except InvalidVersion:
            raise PlanError(f"{where}: a pin for a Jetson is named after its JetPack's version") from None
    return pin


P = TypeVar("P", Pin, Refused)


def _converted(where: str, raw: object, kind: Type[P]) -> P:
    try:
        found = msgspec.convert(raw, kind)
        SpecifierSet(",".join(found.l4t))
    except msgspec.ValidationError as error:
        raise PlanError(f"{where}: {error}; known: {', '.join(kind.__struct_fields__)}") from None
    except InvalidSpecifier as error:
        raise PlanError(f'{where}: l4t: {error}; write for example [">=36.2", "<36.4"]') from None
    return found


def write_digests(name: str, base: str, devel: str, path: Path = PINS) -> None:
    """Puts both digests into the pin's entry; every other byte of the file stays."""
    for digest_ in (base, devel):
        if not DIGEST.fullmatch(digest_):
            raise PlanError(f"{path}: [pin.{name}]: {digest_!r} is no digest: sha256: and 64 hexadecimal digits")
    text = path.read_bytes().decode("utf-8")
    head = re.search(rf'^\[pin\.(?:"{re.escape(name)}"|{re.escape(name)})\].*$', text, re.MULTILINE)
    if head is None:
        raise PlanError(f"{path}: there is no entry [pin.{name}]")
    following = re.search(r"^\[", text[head.end() :], re.MULTILINE)
    end = head.end() + following.start() if following else len(text)
    entry = text[head.end() : end]
    for field, value in (("base_digest", base), ("devel_digest", devel)):
        entry, count = re.subn(rf'^{field} = "[^"]*"', f'{field} = "{value}"', entry, flags=re.MULTILINE)
        if count != 1:
            raise PlanError(f'{path}: [pin.{name}] has no line {field} = "..."')
    upgrades.write_bytes(path, (text[: head.end()] + entry + text[end:]).encode("utf-8"))


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise LaunchError(f"{text!r} is not a version of L4T; /etc/nv_tegra_release is not as known") from None
