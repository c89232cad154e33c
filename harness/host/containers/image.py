"""The image of a pin: found by what it is made of, or built; its base's digest is checked first."""

import io
import tarfile
from typing import Dict, List, NamedTuple

from docker.errors import ImageNotFound, NotFound

from harness.errors import LaunchError
from harness.host.containers import labels
from harness.host.containers.daemon import Daemon
from harness.host.containers.pins import Pin
from harness.host.progress import Progress


class Image(NamedTuple):
    id: str
    base_digests: List[str]
    """What the engine says of the base; empty for one that no registry has named."""


def tag(name: str, pin: Pin) -> str:
    return f"{labels.PROJECT}:{name}-{pin.content()}"


def ensure(daemon: Daemon, name: str, pin: Pin, progress: Progress) -> Image:
    """The pin's image on the daemon. Raises LaunchError where the base is missing, is another, or does not build."""
    wanted = tag(name, pin)
    with daemon.words():
        try:
            found = daemon.client.api.inspect_image(wanted)
        except ImageNotFound:
            found = None
    if found is None:
        digests = [*base(daemon, name, pin.base, pin.base_digest, pin.platform, progress)]
        base(daemon, name, pin.devel, pin.devel_digest, pin.platform, progress)
        with progress.step(f"image {wanted}"):
            _build(daemon, name, pin, wanted, digests)
        with daemon.words():
            found = daemon.client.api.inspect_image(wanted)
    told = (found["Config"].get("Labels") or {}).get(f"{labels.PROJECT}.base-digests", "")
    return Image(found["Id"], [one for one in told.split(",") if one])


def present(daemon: Daemon, name: str, pin: Pin) -> bool:
    with daemon.words():
        try:
            return bool(daemon.client.api.inspect_image(tag(name, pin)))
        except ImageNotFound:
            return False


def base(daemon: Daemon, name: str, reference: str, digest: str, platform: str, progress: Progress) -> List[str]:
    """The base's digests, pulled where it is missing; another than the pinned one is refused."""
    repository = reference.rpartition(":")[0]
    wanted = f"{repository}@{digest}" if digest else reference
    with daemon.words():
        try:
            found = daemon.client.api.inspect_image(wanted)
        except ImageNotFound:
            found = None
    if found is None:
        with progress.step(f"pull {wanted}"):
            try:
                _pull(daemon, name, wanted, platform)
            except LaunchError as error:
                if digest:
                    _refuse_another(daemon, name, reference, digest, error)
                raise
        with daemon.words():
            found = daemon.client.api.inspect_image(wanted)
    digests: List[str] = found.get("RepoDigests") or []
    return digests


def _pull(daemon: Daemon, name: str, wanted: str, platform: str) -> None:
    with daemon.words():
        try:
            for line in daemon.client.api.pull(wanted, platform=platform or None, stream=True, decode=True):
                if "error" in line:
                    raise LaunchError(f"board {daemon.board}: JETPACK={name}: {wanted}: {line['error']}")
        except NotFound as error:  # of a tag or of a repository, which the SDK tells apart
            raise LaunchError(
                f"board {daemon.board}: JETPACK={name}: no registry has {wanted} ({error.explanation})"
            ) from None


def _refuse_another(daemon: Daemon, name: str, reference: str, digest: str, why_not: LaunchError) -> None:
    """The pinned base could not be had, but the tag is here with another digest: say so, and do not take it."""
    with daemon.words():
        try:
            there = daemon.client.api.inspect_image(reference)
        except ImageNotFound:
            return
    told = ", ".join(one.rpartition("@")[2] for one in there.get("RepoDigests") or []) or "none (it was imported)"
    raise LaunchError(
        f"board {daemon.board}: JETPACK={name} is pinned to {reference} with digest {digest}; the one on this engine "
        f"has {told}, and the pinned one cannot be had: {why_not}. Mend that, or move the pin: make pin JETPACK={name}"
    ) from None


def arguments(pin: Pin) -> Dict[str, str]:
    """The Dockerfile's build arguments; a pinned base goes in by digest."""

    def exact(reference: str, digest: str) -> str:
        return f"{reference.rpartition(':')[0]}@{digest}" if digest else reference

    return {
        "BASE": exact(pin.base, pin.base_digest),
        "DEVEL": exact(pin.devel, pin.devel_digest),
        "TVM": pin.tvm,
        "CUDA_ARCHITECTURES": ";".join(one.replace(".", "") for one in pin.compute_capability),
    }


def _build(daemon: Daemon, name: str, pin: Pin, wanted: str, base_digests: List[str]) -> None:
    said: List[str] = []
    with daemon.words():
        for line in daemon.client.api.build(
            fileobj=_context(pin.files()),
            custom_context=True,
            dockerfile=f"{pin.family}.Dockerfile",
            tag=wanted,
            buildargs=arguments(pin),
            labels=labels.labels("image", {f"{labels.PROJECT}.base-digests": ",".join(base_digests)}),
            platform=pin.platform or None,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            said += [text.rstrip() for text in [line.get("stream", "")] if text.strip()]
            if "error" in line:
                tail = "\n".join(said[-15:])
                raise LaunchError(
                    f"board {daemon.board}: JETPACK={name}: its image does not build: {line['error'].strip()}\n{tail}"
                )


def _context(files: Dict[str, bytes]) -> io.BytesIO:
    """The same bytes for the same files, so that the engine's build cache holds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    buffer.seek(0)
    return buffer
