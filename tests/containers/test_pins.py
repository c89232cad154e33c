"""The pins of docker/jetpacks.toml as they are, and what is said of wrong ones and of hosts that none serves."""

import shutil
from pathlib import Path
from typing import List, Optional

import pytest

from harness.errors import LaunchError, PlanError
from harness.host.containers import image, pins

PINS = pins.load()
A, B = "sha256:" + "a" * 64, "sha256:" + "0123456789abcdef" * 4
ENTRY = """\
[pin."9"]
family = "cpu"
base = "debian:bookworm-slim"
base_digest = ""
devel = "debian:bookworm-slim"
devel_digest = ""
platform = ""
l4t = [">=40"]
cuda = ""
tensorrt = ""
tvm = ""
python = "3.11"
modules = []
compute_capability = []
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "jetpacks.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PINS.pins)
def test_every_pin_has_what_its_image_is_made_of(name: str) -> None:
    pin = PINS.get(name)
    assert set(pin.files()) == {f"{pin.family}.Dockerfile", f"requirements/{pin.family}.txt"}
    assert len(pin.content()) == 12
    assert image.tag(name, pin) == f"jetson-inference-harness:{name}-{pin.content()}"
    assert ":" in pin.base.rpartition("/")[2], "a base is named with its tag"
    assert ":" in pin.devel.rpartition("/")[2]
    assert bool(pin.cuda) == bool(pin.compute_capability) == bool(pin.modules) == bool(pin.l4t)


def test_every_family_is_some_pins(tmp_path: Path) -> None:
    families = {pin.family for pin in PINS.pins.values()}
    assert {path.stem for path in pins.DOCKER.glob("*.Dockerfile")} == families
    assert {path.stem for path in (pins.DOCKER / "requirements").glob("*.txt")} == families


def test_what_an_image_holds_decides_its_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(str(pins.DOCKER), str(tmp_path / "docker"))
    monkeypatch.setattr(pins, "DOCKER", tmp_path / "docker")
    pin = PINS.get("cpu")
    before = pin.content()
    requirements = tmp_path / "docker" / "requirements" / "cpu.txt"
    requirements.write_text(requirements.read_text() + "# more\n")
    changed = pin.content()
    assert changed != before
    text = (pins.DOCKER / "jetpacks.toml").read_text()
    path = written(tmp_path, text)
    pins.write_digests("cpu", A, A, path)
    assert pins.load(path).get("cpu").content() not in (before, changed)


@pytest.mark.parametrize(
    ("l4t", "serving", "default"),
    [
        ("35.1", ["5.0.2"], "5.0.2"),
        ("35.2.1", ["5.1.2", "5.0.2"], "5.1.2"),
        ("35.4.1", ["5.1.2", "5.0.2"], "5.1.2"),
        ("35.6.5", ["5.1.2", "5.0.2"], "5.1.2"),
        ("36.2", ["6.0"], "6.0"),
        ("36.3", ["6.0"], "6.0"),
        ("36.3.0", ["6.0"], "6.0"),
        ("36.4", ["6.2"], "6.2"),
        ("36.4.7", ["6.2"], "6.2"),
        ("36.5.2", ["6.2"], "6.2"),
        ("38.2", ["7"], "7"),
        ("38.4.0", ["7"], "7"),
        (None, [], None),
    ],
)
def test_which_pins_a_host_can_run(l4t: Optional[str], serving: List[str], default: Optional[str]) -> None:
    assert PINS.serving(l4t) == serving
    assert PINS.default(l4t) == default
    for name in PINS.pins:
        assert PINS.get(name).runs_on(l4t) == (name in serving or name == "cpu")


@pytest.mark.parametrize(
    ("l4t", "said"),
    [
        ("32.7", "this host runs L4T 32.7: JetPack 4 gives its containers the host's TensorRT"),
        ("32.7.6", "JetPack 4 gives"),
        ("34.1", "this host runs L4T 34.1: JetPack 5.0 and 5.0.1 were developer previews; flash 5.0.2 or newer"),
        ("34.1.1", "developer previews"),
        ("39.2", "this host runs L4T 39.2, which no pin of jetpacks.toml serves; JETPACK=none goes without"),
        ("99", "L4T 99, which no pin of jetpacks.toml serves"),
        ("a.b", "'a.b' is not a version of L4T"),
    ],
)
def test_hosts_that_no_pin_serves_are_told_why(l4t: str, said: str) -> None:
    with pytest.raises(LaunchError, match=said.replace(".", r"\.")):
        PINS.default(l4t)
    if l4t[0].isdigit():
        assert PINS.serving(l4t) == []
        with pytest.raises(LaunchError, match=said.partition(":")[2].strip()[:20] or said):
            PINS.check("6.0", l4t, "lab")


@pytest.mark.parametrize(
    ("name", "l4t", "said"),
    [
        ("6.0", "35.4.1", "its image needs L4T >=36.2, <36.4; board lab runs L4T 35.4.1. Pins for it: 5.1.2, 5.0.2"),
        ("5.1.2", "36.4.3", "its image needs L4T >=35.2, <36; board lab runs L4T 36.4.3. Pins for it: 6.2"),
        ("7", "36.3", "board lab runs L4T 36.3. Pins for it: 6.0"),
        ("6.2", None, "board lab is none that tells its L4T. Pins that run on any machine: cpu"),
    ],
)
def test_a_pin_that_the_board_cannot_run(name: str, l4t: Optional[str], said: str) -> None:
    with pytest.raises(LaunchError) as caught:
        PINS.check(name, l4t, "lab")
    assert str(caught.value).startswith(f"JETPACK={name}: ")
    assert said in str(caught.value)


def test_what_a_board_can_run_passes() -> None:
    assert PINS.check("5.1.2", "35.4.1", "lab") == PINS.pins["5.1.2"]
    for l4t in (None, "35.4.1", "32.7"):
        assert PINS.check("cpu", l4t, "lab") == PINS.pins["cpu"]


def test_a_name_that_is_no_pin_gets_the_nearest() -> None:
    with pytest.raises(PlanError, match=r"JETPACK: there is no pin '5\.1\.3' \(nearest: 5\.1\.2, 5\.0\.2\); known: 5"):
        PINS.get("5.1.3")


@pytest.mark.parametrize("name", PINS.pins)
def test_digests_are_written_and_nothing_else_changes(tmp_path: Path, name: str) -> None:
    before = pins.PINS.read_text()
    path = written(tmp_path, before)
    pins.write_digests(name, A, B, path)
    pin = pins.load(path).get(name)
    assert (pin.base_digest, pin.devel_digest, pin.pinned) == (A, B, True)
    changed = [pair for pair in zip(before.splitlines(), path.read_text().splitlines()) if pair[0] != pair[1]]
    assert [new for _, new in changed] == [f'base_digest = "{A}"', f'devel_digest = "{B}"']
    others = {other: one for other, one in pins.load(path).pins.items() if other != name}
    assert others == {other: one for other, one in PINS.pins.items() if other != name}
    pins.write_digests(name, B, A, path)
    assert pins.load(path).get(name).base_digest == B


def test_quoted_and_bare_names_and_the_files_own_line_ends(tmp_path: Path) -> None:
    text = (ENTRY + "# ä comment\n" + ENTRY.replace('"9"', "10")).replace("\n", "\r\n")
    path = tmp_path / "jetpacks.toml"
    path.write_bytes(text.encode())
    pins.write_digests("10", A, B, path)
    now = path.read_bytes().decode()
    assert now.replace(A, "").replace(B, "") == text
    assert now.index("[pin.10]") < now.index(A)
    pins.write_digests("9", B, B, path)
    assert pins.load(path).get("9").base_digest == B


def test_digests_of_a_pin_that_is_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, ENTRY)
    for name in ("8", "9.0", "."):
        with pytest.raises(PlanError, match=r"there is no entry \[pin\."):
            pins.write_digests(name, A, A, path)
    path = written(tmp_path, ENTRY.replace('devel_digest = ""\n', ""))
    with pytest.raises(PlanError, match=r"\[pin\.9\] has no line devel_digest = "):
        pins.write_digests("9", A, A, path)
    assert A not in path.read_text()


@pytest.mark.parametrize(
    "digest", ["sha256:abc", "a" * 64, "sha512:" + "a" * 64, "sha256:" + "A" * 64, A + "\n", A + '"\nbase = "evil', " "]
)
def test_a_digest_that_is_none_is_refused(tmp_path: Path, digest: str) -> None:
    path = written(tmp_path, ENTRY)
    with pytest.raises(PlanError, match="is no digest: sha256: and 64 hexadecimal digits"):
        pins.write_digests("9", A, digest, path)
    assert path.read_text() == ENTRY
    quoted = digest.replace("\n", "\\n").replace('"', '\\"')
    written(tmp_path, ENTRY.replace('base_digest = ""', f'base_digest = "{quoted}"', 1))
    with pytest.raises(PlanError, match=r"\[pin\.9\]: base_digest .* is no digest"):
        pins.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("cuda =", "kuda ="), "[pin.9]: Object contains unknown field `kuda`; known: family, base, base_digest"),
        (('platform = ""\n', ""), "[pin.9]: Object missing required field `platform`"),
        (('python = "3.11"', "python = 3.11"), "[pin.9]: Expected `str`, got `float` - at `$.python`"),
        (('">=40"', '"from 40"'), "[pin.9]: l4t: Invalid specifier: 'from 40'; write for example"),
        (('"cpu"', '"../../etc/cpu"'), "[pin.9]: '../../etc/cpu' is no name"),
        (('[pin."9"]', '[pin."9 9"]'), "'9 9' is no name"),
        (('[pin."9"]', "[pin.next]"), "[pin.next]: a pin for a Jetson is named after its JetPack's version"),
        (('[pin."9"]', '[pins."9"]'), "unknown pins; a pin is [pin.NAME]"),
        (('[pin."9"]', "[[pin]]"), "unknown form; a pin is [pin.NAME]"),
        (('[pin."9"]', '[[refused]]\nl4t = ["<3"]\n[pin."9"]'), "[[refused]]: Object missing required field `reason`"),
        (("cuda = ", "cuda "), "not valid TOML: "),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_wrong(tmp_path: Path, change: "tuple[str, str]", said: str) -> None:
    path = written(tmp_path, ENTRY)
    assert set(pins.load(path).pins) == {"9"}
    written(tmp_path, ENTRY.replace(*change))
    with pytest.raises(PlanError) as caught:
        pins.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_family_without_its_files_names_them(tmp_path: Path) -> None:
    pin = pins.load(written(tmp_path, ENTRY.replace('"cpu"', '"jetpack9"'))).get("9")
    with pytest.raises(PlanError, match=r"has no jetpack9\.Dockerfile and no requirements/jetpack9\.txt"):
        pin.content()


def test_build_arguments_name_a_pinned_base_by_its_digest(tmp_path: Path) -> None:
    """A tag can be moved; the digest that was checked is what is built on."""
    path = written(tmp_path, pins.PINS.read_text())
    assert image.arguments(PINS.get("5.1.2")) == {
        "BASE": "nvcr.io/nvidia/l4t-tensorrt:r8.5.2-runtime",
        "DEVEL": "nvcr.io/nvidia/l4t-tensorrt:r8.5.2.2-devel",
        "TVM": "v0.19.0",
        "CUDA_ARCHITECTURES": "72;87",
    }
    pins.write_digests("5.1.2", A, B, path)
    arguments = image.arguments(pins.load(path).get("5.1.2"))
    assert arguments["BASE"] == f"nvcr.io/nvidia/l4t-tensorrt@{A}"
    assert arguments["DEVEL"] == f"nvcr.io/nvidia/l4t-tensorrt@{B}"
