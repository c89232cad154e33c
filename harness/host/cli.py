"""The command line: collects the verbs of `commands/` and turns how they end into exit codes."""

import errno
import importlib
import pkgutil
import signal
import sys
from typing import List, Optional, Tuple

import click

import harness
from harness.errors import STORAGE, HarnessError, StorageError
from harness.host import commands
from harness.host.printable import printable


class Interrupted(BaseException):
    """A signal asked us to stop; carries the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Verbs(click.Group):
    """Each module of `commands/` is a verb and is imported only when it is needed: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> List[str]:
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, name: str) -> Optional[click.Command]:
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 cells failed or crashed, or something is slower; 2 usage, plan or model; 3 board; "
    "130/143 interrupted.",
)
@click.version_option(harness.__version__, prog_name="harness")
def verbs() -> None:
    """Builds inference engines from one model, measures them fairly, and reports what holds.

    \b
    First look:  python -m harness demo
    Real job:    python -m harness build-engines
                 python -m harness bench
                 python -m harness report
    """


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs one verb; the exit code of design §8."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = verbs.main(arguments, prog_name="python -m harness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:  # whoever read our output has had enough
        sys.stderr.close()
        return 141
    except (HarnessError, OSError, KeyboardInterrupt, click.Abort, Interrupted) as error:
        text, code = _in_words(error)
        click.echo(printable(text), err=True)
        return code


def _in_words(error: BaseException) -> Tuple[str, int]:
    """What to tell the user, and the exit code; an error that no user can act on is raised again."""
    if isinstance(error, OSError):
        if error.errno not in (*STORAGE, errno.EACCES, errno.EPERM):
            raise error
        error = StorageError.of(error)
    if isinstance(error, HarnessError):
        return f"error: {error}", error.exit_code
    kept = "what had ended is kept; the same command goes on from there"
    if isinstance(error, Interrupted):
        return f"terminated: {kept}", error.code
    return f"interrupted: {kept}", 130


def _terminate(number: int, _frame: object) -> None:
    raise Interrupted(128 + number)
