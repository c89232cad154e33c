"""`clean`: removes what can be made again without measuring, building or fetching."""

import shutil

import click

from harness.host import options

CACHES = (".pytest_cache", ".mypy_cache", ".ruff_cache", ".venv")


@click.command("clean")
def command() -> int:
    """Removes caches and the virtual environments; never results, engines or models.

    \b
    python -m harness clean
    """
    inside = [path for name in ("harness", "tests") for path in (options.ROOT / name).rglob("__pycache__")]
    for path in [options.ROOT / name for name in CACHES] + inside:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
        else:
            continue
        click.echo(f"removed {path.relative_to(options.ROOT)}")
    return 0
