"""An engine that is not there: said in words, and no connection is left open."""

import gc
import os
import socket
import warnings
from pathlib import Path

import pytest

from harness.host.containers.daemon import Daemon, Lost


def refusal(address: str) -> str:
    """What is said of the engine; fails where a socket is left open."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with pytest.raises(Lost) as error:
            Daemon("lab", address).info()
        text = str(error.value)
        del error
        gc.collect()
    assert [str(one.message) for one in caught] == []
    return text


def test_no_socket_is_an_engine_that_does_not_run(tmp_path: Path) -> None:
    assert "it is not running; start it" in refusal(f"unix://{tmp_path}/none.sock")


def test_a_socket_that_nobody_listens_on_is_an_engine_that_does_not_run(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left.sock"))
    assert "it is not running; start it" in refusal(f"unix://{tmp_path}/left.sock")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_of_others_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as others:
        others.bind(str(tmp_path / "others.sock"))
        others.listen(1)
        (tmp_path / "others.sock").chmod(0)
        assert "this user may not use it; join the docker group" in refusal(f"unix://{tmp_path}/others.sock")


def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    assert "AF_UNIX path too long" in refusal(f"unix://{tmp_path}/{'x' * 120}")
