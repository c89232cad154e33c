"""What a board's own files and tools say, read in one go, here or over ssh: the same shell script in both places."""

import fnmatch
import shlex
import subprocess
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Sequence

from harness.errors import LaunchError
from harness.host.containers.address import Ssh

LIMIT_S = 30
MARK = "==== jetson-inference-harness"
TEXT, SIZE, SAID = "text", "size", "said"


class Wanted(NamedTuple):
    """What to look at. Constants of ours, never a user's words: they reach a shell. Paths are absolute, `*` matches."""

    texts: Sequence[str] = ()
    sizes: Sequence[str] = ()
    commands: Sequence[str] = ()


class Seen(NamedTuple):
    """What was found; a file or tool that is not there is absent."""

    texts: Dict[str, str]
    sizes: Dict[str, int]
    """In bytes, of what a link leads to."""
    said: Dict[str, str]
    """What each command printed; an empty text where it failed."""

    def text(self, path: str) -> str:
        return self.texts.get(path, "")

    def matching(self, pattern: str) -> Dict[str, str]:
        return {path: text for path, text in self.texts.items() if fnmatch.fnmatchcase(path, pattern)}


def read(where: Optional[Ssh], board: str, wanted: Wanted, root: Path = Path("/")) -> Seen:
    """Raises LaunchError where ssh does not work; `root` is the board's where `where` is this machine."""
    if where is None:
        return parse(_here(_script(wanted, root)))
    return parse(_over_ssh(where, board, _script(wanted, Path("/"))))


def _script(wanted: Wanted, root: Path) -> str:
    top = shlex.quote(str(root).rstrip("/"))
    texts, sizes = (" ".join(f'"$R"{path}' for path in paths) for paths in (wanted.texts, wanted.sizes))
    lines = [f"R={top}", 'PATH="$R/usr/sbin:$R/usr/bin:$PATH:/usr/sbin"']
    if texts:
        show = f'echo; echo "{MARK} {TEXT} ${{f#"$R"}}"; cat "$f" 2>/dev/null'
        lines.append(f'for f in {texts}; do [ -f "$f" ] && {{ {show}; }}; done')
    if sizes:
        show = f'echo; echo "{MARK} {SIZE} ${{f#"$R"}}"; stat -L -c %s "$f"'
        lines.append(f'for f in {sizes}; do [ -e "$f" ] && {{ {show}; }}; done')
    for command in wanted.commands:
        lines.append(f'echo; echo "{MARK} {SAID} {command}"; {command} 2>/dev/null')
    return "; ".join([*lines, "true"])


def parse(text: str) -> Seen:
    seen = Seen({}, {}, {})
    for part in f"\n{text}".split(f"\n{MARK} ")[1:]:
        head, _, body = part.partition("\n")
        kind, _, name = head.partition(" ")
        if kind == TEXT:
            seen.texts[name] = body
        elif kind == SAID:
            seen.said[name] = body
        elif body.strip().isdigit():
            seen.sizes[name] = int(body)
    return seen


def _here(script: str) -> str:
    done = subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout.decode(errors="replace")


def _over_ssh(where: Ssh, board: str, script: str) -> str:
    failed = f"board {board}: ssh to {where.host} did not work"
    try:
        done = subprocess.run(
            where.command(script), stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise LaunchError(f"{failed}: no answer within {LIMIT_S} s") from None
    except OSError as error:
        raise LaunchError(f"{failed}: {error.strerror}: {error.filename}") from None
    if done.returncode == 255:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise LaunchError(f"{failed}: {said[-1] if said else 'no reason given'}")
    return done.stdout.decode(errors="replace")
