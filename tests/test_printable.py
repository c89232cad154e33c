"""Words of a container on a terminal: what would act on it is written out."""

import pytest

from harness.errors import LaunchError
from harness.host.cli import main
from harness.host.commands import schema
from harness.host.printable import printable
from harness.host.progress import Progress
from harness.host.report.table import Table, markdown

EVIL = "gone\x1b[2J\x1b]0;title\x07\u202e\r\x9b1m"
SHOWN = r"gone\x1b[2J\x1b]0;title\x07\u202e\r\x9b1m"


def test_what_acts_on_a_terminal_is_written_out_and_the_rest_stays() -> None:
    assert printable(EVIL) == SHOWN
    assert printable("two lines\n\tand a tab, 95 % – é 温") == "two lines\n\tand a tab, 95 % – é 温"


def test_everywhere_where_a_containers_words_are_shown(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Progress().line(EVIL)
    assert SHOWN in capsys.readouterr().err.replace("\n", "")

    def refuse() -> None:
        raise LaunchError(EVIL)

    monkeypatch.setattr(schema.command, "callback", refuse)
    assert main(["schema"]) == LaunchError.exit_code
    assert capsys.readouterr().err == f"error: {SHOWN}\n"
    assert "\x1b" not in markdown(Table(["reason"], [[EVIL]]))
