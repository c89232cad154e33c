"""What a report says of the machine: a fact a line, in the reader's language."""

from typing import Dict, Optional

from harness.host.report.language import _
from harness.records import Machine
from harness.records.machine import Container


def facts(machine: Machine) -> Dict[str, str]:
    """By name, in the order in which they are shown; the runtimes are the last."""
    return {**_machine(machine), **_container(machine.container), **_backends(machine)}


def _machine(machine: Machine) -> Dict[str, str]:
    governor = machine.governor or _("not readable here, so clocks are unknown")
    processor = _(
        "%(model)s, %(logical)s logical CPUs, %(allowed)s allowed",
        model=machine.cpu_model,
        logical=machine.logical_cpus,
        allowed=machine.allowed_threads,
    )
    found = {
        _("board"): machine.board,
        _("system"): _(
            "%(system)s, kernel %(kernel)s, %(architecture)s",
            system=machine.system,
            kernel=machine.kernel,
            architecture=machine.architecture,
        ),
        _("processor"): processor,
        _("memory"): f"{machine.memory_bytes / 1e9:.1f} GB",
        _("CPU governor"): governor,
        _("clock"): _("CLOCK_MONOTONIC, smallest step seen %(step)s ns", step=machine.timer_step_ns),
        "Python": machine.python,
        "harness": _(
            "%(version)s, sources %(revision)s", version=machine.harness_version, revision=machine.harness_revision
        ),
    }
    if machine.module:
        found[_("module")] = machine.module
    if machine.l4t:
        found["L4T"] = machine.l4t
    return found


def _container(container: Optional[Container]) -> Dict[str, str]:
    if container is None:
        return {}
    digests = ", ".join(container.base_digests) or _("no digest known")
    found = {
        _("container"): _(
            "pin %(pin)s, image %(image)s, Docker %(docker)s",
            pin=container.jetpack,
            image=container.image[:19],
            docker=container.engine_version,
        ),
        _("base image"): f"{container.base}, {digests}",
        _("GPU access"): container.gpu,
    }
    if container.memory_limit_bytes is not None:
        found[_("memory limit")] = _(
            "%(size)s GB of CPU memory; a GPU's is not counted by it", size=f"{container.memory_limit_bytes / 1e9:.1f}"
        )
    return found


def _backends(machine: Machine) -> Dict[str, str]:
    found = {}
    for name, backend in machine.backends.items():
        if name == "null":
            continue
        if backend.available:
            told = {"version": backend.version, "architecture": backend.architecture}
            found[name] = _("%(version)s, for %(architecture)s", **told)
        else:
            found[name] = _("not available: %(reason)s", reason=backend.reason)
    return found
