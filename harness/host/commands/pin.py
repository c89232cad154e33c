"""`pin`: resolves a JetPack's base images to digests and writes them into docker/jetpacks.toml."""

from typing import Optional

import click

from harness.errors import PlanError
from harness.host import options


@click.command("pin")
@options.option("--jetpack", help="The pin of docker/jetpacks.toml to resolve.", metavar="PIN")
def command(jetpack: Optional[str]) -> int:
    """Asks the registry which digests a pin's tags have today, and writes them into docker/jetpacks.toml.

    From then on another digest is refused. Calling it again moves the pin to what the tags are then.

    \b
    python -m harness pin --jetpack 5.1.2
    """
    from harness.host.containers import pins, registry

    known = pins.load(pins.PINS)
    if jetpack is None:
        raise PlanError(f"JETPACK: say which pin to resolve: {', '.join(known.pins)}")
    pin = known.get(jetpack)
    base = registry.digest(pin.base, pin.platform)
    devel = base if pin.devel == pin.base else registry.digest(pin.devel, pin.platform)
    pins.write_digests(jetpack, base, devel, pins.PINS)
    for reference, old, new in ((pin.base, pin.base_digest, base), (pin.devel, pin.devel_digest, devel)):
        moved = f"  (was {old})" if old and old != new else ""
        click.echo(f"{reference}: {new}{moved}")
    click.echo(f"written to {pins.PINS}; commit it, and every run uses exactly these")
    return 0
