"""A copy of this harness with one more backend, a file in `backends/` as anybody adds one; its own `bench` measures.

What selfbench proves of whole runs goes through that command: every try is a run like any other, kept under
`results/.work/statistics/`, so that a selfbench that was interrupted goes on where it was.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

from harness.errors import LaunchError
from harness.host import resume, runs
from harness.host.commands.bench import command
from harness.host.options import ROOT
from harness.host.runs import RunData
from harness.host.selfbench.ground import Place

PACKAGE = ROOT / "harness"


class Checkout(NamedTuple):
    folder: Path
    """Holds the package `harness`."""
    results: Path
    models_dir: Path

    def bench(self, run: str, words: List[str]) -> RunData:
        """The run of that name, measured now as far as it is not yet; cells that crashed are a part of it."""
        folder = self.results / run
        flags = ["--run", run, "--results", str(self.results), "--models-dir", str(self.models_dir)]
        ended = None
        while not (folder / "run.json").exists() or resume.unfinished(folder, None):
            if ended is not None and ended.returncode == 2 and folder.exists():
                shutil.rmtree(folder)  # begun on another boot or with other clocks: it cannot be gone on with
            elif ended is not None:
                said = ended.stderr.strip()[-500:]
                raise LaunchError(f"selfbench: bench of {run} ended with status {ended.returncode}: {said}")
            ended = subprocess.run(
                [sys.executable, "-m", "harness", "bench", "--quiet", *words, *flags],
                cwd=str(self.folder),
                env=_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        return runs.load_one(folder)


def with_backend(place: Place, name: str, source: str) -> Checkout:
    """One for these very sources: others have runs of their own."""
    files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    content = hashlib.sha256(source.encode())
    for path in files:
        content.update(str(path.relative_to(PACKAGE)).encode() + path.read_bytes())
    results = (place.results / ".work" / "statistics" / f"{name}-{content.hexdigest()[:12]}").resolve()
    folder = results / ".checkout"
    if not (folder / "harness").exists():
        making = results / ".making"
        shutil.rmtree(making, ignore_errors=True)
        for part in (PACKAGE, ROOT / "docker"):  # the pins, too
            shutil.copytree(str(part), str(making / part.name), ignore=shutil.ignore_patterns("__pycache__"))
        (making / "harness" / "backends" / f"{name}.py").write_text(source)
        making.rename(folder)  # last: what is there is whole
    return Checkout(folder, results, place.models_dir.resolve())


def _environment() -> Dict[str, str]:
    """Ours without what is meant for this selfbench: a variable of `make` would overrule the tries' plans."""
    flags = {parameter.envvar for parameter in command.params if isinstance(parameter.envvar, str)}
    return {key: value for key, value in os.environ.items() if key not in flags and key != "PYTHONPATH"}
