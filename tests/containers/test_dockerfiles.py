"""What every Dockerfile and every lock of docker/ keeps to; each check is proved by a file that breaks it.

Nothing here builds an image: the pins of JetPacks have never been built by this project, and no test stands for that.
"""

import re
from pathlib import Path
from typing import Callable, Dict, List

import pytest
from packaging.version import Version

from harness.host.containers import pins

DOCKER = pins.DOCKER
FILES = sorted(DOCKER.glob("*.Dockerfile"))
LOCKS = sorted((DOCKER / "requirements").glob("*.txt"))
BASES = {"${BASE}", "${DEVEL}"}


def instructions(text: str) -> List[str]:
    """Without comments, each in one line."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in kept.replace("\\\n", " ").splitlines() if line.strip()]


def starting(text: str, word: str) -> List[str]:
    return [line for line in instructions(text) if line.split()[0].upper() == word]


def stages(text: str) -> List[List[str]]:
    found: List[List[str]] = []
    for line in instructions(text):
        if line.upper().startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def has_several_stages(text: str) -> bool:
    return len(stages(text)) >= 2 and any(line.startswith("COPY --from=") for line in stages(text)[-1])


def starts_from_what_is_given(text: str) -> bool:
    """A base comes from the pin, or is a stage of the same file; the last one is the pin's runtime base."""
    names = re.findall(r"(?im)^FROM \S+ AS (\S+)$", text)
    froms = [line.split()[1] for line in starting(text, "FROM")]
    return set(froms) <= BASES | set(names) and froms[-1] == "${BASE}"


def adds_nothing(text: str) -> bool:
    return not starting(text, "ADD")


def names_no_latest(text: str) -> bool:
    return not re.search(r":latest\b|--branch[ =](main|master|HEAD)\b", text)


def needs_no_buildkit(text: str) -> bool:
    """The engine of a Jetson may be 20.10 without buildx."""
    first = re.search(r"(?im)^\s*#\s*(syntax|escape|check)\s*=", text)
    later = re.search(r"(?m)^(RUN|COPY|ADD)\s+--(mount|network|security|link|chmod|exclude|parents)\b", text)
    heredoc = any(re.search(r"<<-?\s*[\"']?\w", line) for line in instructions(text))
    return not first and not later and not heredoc


def copies_only_locks_and_stages(text: str) -> bool:
    """The harness is put into each cell when it runs, so that image and host can never differ."""
    return all(re.match(r"COPY (--from=\w+ |requirements/\w+\.txt )", line) for line in starting(text, "COPY"))


def installs_by_hash(text: str) -> bool:
    """Or, what was cloned here, without anything it asks for."""
    calls = re.findall(r"pip3? install([^&|;]*)", "\n".join(starting(text, "RUN")))
    return bool(calls) and all(
        "--require-hashes" in call or ("--no-deps" in call and "--no-build-isolation" in call) for call in calls
    )


def removes_lists_in_the_same_layer(text: str) -> bool:
    layers = [line for line in starting(text, "RUN") if "apt-get" in line or re.search(r"\bapt ", line)]
    return bool(layers) and all(
        "apt-get update" in line and "--no-install-recommends" in line and line.endswith("rm -rf /var/lib/apt/lists/*")
        for line in layers
    )


def runs_as_anyone(text: str) -> bool:
    """The launcher names the user and the command; nothing may need root or lie where only root can read."""
    last = stages(text)[-1]
    words = {line.split()[0].upper() for line in last}
    homes = re.search(r"/root\b|chmod (-R )?[0-7]*[0-6]0\b|umask", "\n".join(last))
    return not words & {"USER", "ENTRYPOINT", "CMD", "VOLUME", "HEALTHCHECK"} and not homes


def writes_no_bytecode(text: str) -> bool:
    """The root is read-only when it runs."""
    return any("PYTHONDONTWRITEBYTECODE=1" in line for line in stages(text)[-1])


Check = Callable[[str], bool]
WRONG: Dict[Check, List[Callable[[str], str]]] = {
    has_several_stages: [
        lambda text: "FROM ${BASE}\n" + text.split("FROM ${BASE}\n")[1],
        lambda text: re.sub(r"(?m)^COPY --from=.*\n(?=ENV)", "", text),
    ],
    starts_from_what_is_given: [
        lambda text: text.replace("FROM ${BASE}", "FROM ubuntu:22.04"),
        lambda text: text.replace("FROM ${DEVEL} AS", "FROM nvcr.io/nvidia/l4t-tensorrt:r8.5.2.2-devel AS"),
        lambda text: text.replace("FROM ${BASE}", "FROM ${DEVEL}"),
    ],
    adds_nothing: [lambda text: text + "ADD https://example.org/x.tar /opt/\n", lambda text: text + "ADD . /opt\n"],
    names_no_latest: [
        lambda text: text.replace("FROM ${BASE}", "FROM ubuntu:latest"),
        lambda text: text + "RUN git clone --branch main https://example.org/x\n",
    ],
    needs_no_buildkit: [
        lambda text: "# syntax=docker/dockerfile:1\n" + text,
        lambda text: text.replace("RUN ", "RUN --mount=type=cache,target=/root ", 1),
        lambda text: text.replace("COPY --from", "COPY --link --from", 1),
        lambda text: text + "RUN <<EOF\necho\nEOF\n",
        lambda text: text + "RUN cat > /x <<'EOF'\nEOF\n",
    ],
    copies_only_locks_and_stages: [
        lambda text: text + "COPY harness /opt/harness\n",
        lambda text: text + "COPY . .\n",
        lambda text: text + "COPY ../harness/worker /x\n",
    ],
    installs_by_hash: [
        lambda text: text.replace("--require-hashes", "", 1),
        lambda text: text + "RUN pip install numpy==1.0\n",
        lambda text: text + "RUN pip install --no-deps /src/x\n",
    ],
    removes_lists_in_the_same_layer: [
        lambda text: text.replace(" && rm -rf /var/lib/apt/lists/*", "", 1).replace("\\\nCOPY", "\nCOPY", 1),
        lambda text: text + "RUN apt-get install -y vim\n",
        lambda text: text + "RUN apt-get update\nRUN rm -rf /var/lib/apt/lists/*\n",
        lambda text: text.replace("--no-install-recommends", "", 1),
    ],
    runs_as_anyone: [
        lambda text: text + "USER root\n",
        lambda text: text + 'ENTRYPOINT ["/opt/start"]\n',
        lambda text: text + "RUN chmod -R 700 /opt/runtimes\n",
        lambda text: text.replace("/opt/runtimes /opt/runtimes", "/opt/runtimes /root/runtimes"),
    ],
    writes_no_bytecode: [lambda text: text.replace(" PYTHONDONTWRITEBYTECODE=1", "")],
}


@pytest.mark.parametrize("check", WRONG, ids=lambda one: one.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_dockerfile_keeps_to_it_and_the_check_sees_one_that_does_not(path: Path, check: Check) -> None:
    text = path.read_text()
    assert check(text)
    for number, breaking in enumerate(WRONG[check]):
        broken = breaking(text)
        assert broken != text, f"mutation {number} changes nothing"
        assert not check(broken), f"mutation {number} is not seen"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_arguments_are_those_that_the_pin_gives(path: Path) -> None:
    declared = {line.split()[1].split("=")[0] for line in starting(path.read_text(), "ARG")}
    assert {"BASE", "DEVEL"} <= declared <= {"BASE", "DEVEL", "TVM", "CUDA_ARCHITECTURES"}
    for name in declared:
        assert re.search(rf"\$\{{?{name}\b", path.read_text()), f"{name} is asked for and not used"


def problems(lock: str) -> List[str]:
    """Lines of a lock that are not `name==version` with at least one sha256, or that name an index."""
    found = []
    for line in lock.replace("\\\n", " ").splitlines():
        text = line.split("# via")[0].strip()
        if text and not text.startswith("#"):
            pinned = re.match(r"[a-z0-9][a-z0-9.-]*==[\w.]+( ; [^-]*)?( +--hash=sha256:[0-9a-f]{64})+$", text)
            found += [] if pinned else [text]
    return found + re.findall(r".*(?:--(?:extra-)?index-url|--find-links|https?://|file:|@ ).*", lock)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_locks_are_pinned_hashed_and_name_no_index(path: Path) -> None:
    lock = path.read_text()
    assert problems(lock) == []
    assert "numpy==" in lock
    assert "msgspec==" in lock, "records are read in the container too"
    hashed = re.search(r" \\\n +--hash=\S+(?: \\\n +--hash=\S+)*", lock)
    assert hashed is not None
    for broken in (
        lock.replace(hashed.group(), "", 1),
        re.sub(r"numpy==", "numpy>=", lock, count=1),
        f"--index-url https://example.org/simple\n{lock}",
        f"--find-links /wheels\n{lock}",
        f"{lock}x @ git+ssh://example.org/x\n",
        lock.replace("--hash=sha256:", "--hash=md5:", 1),
    ):
        assert problems(broken), "a broken lock is not seen"


@pytest.mark.parametrize("path", sorted((DOCKER / "requirements").glob("*.in")), ids=lambda path: path.stem)
def test_a_lock_holds_what_was_asked_for(path: Path) -> None:
    lock = path.with_suffix(".txt").read_text()
    for line in path.read_text().splitlines():
        name, exact, version = line.split("#")[0].strip().replace("_", "-").partition("==")
        name = re.split(r"[<>=;]", name)[0]
        if name:
            assert re.search(rf"^{re.escape(name)}=={re.escape(version) if exact else ''}", lock, re.MULTILINE), line
    for line in lock.splitlines()[:2]:
        assert line.startswith("#"), "the command that makes it stands on top"
    assert f"{path.name} -o {path.stem}.txt" in lock


@pytest.mark.parametrize(
    ("family", "python"), [("cpu", "3.11"), ("jetpack5", "3.8"), ("jetpack6", "3.10"), ("jetpack7", "3.12")]
)
def test_locks_are_made_for_the_python_that_the_pins_say(family: str, python: str) -> None:
    assert {pin.python for pin in pins.load().pins.values() if pin.family == family} == {python}
    assert f"--python-version {python} " in (DOCKER / "requirements" / f"{family}.txt").read_text()


def requirement(family: str, name: str) -> str:
    found = re.search(rf"(?m)^{name}==(\S+)", (DOCKER / "requirements" / f"{family}.txt").read_text())
    return found.group(1) if found else ""


def test_tvm_is_the_one_that_the_pins_say() -> None:
    """Wheels where TVM publishes one for that CUDA, else its sources by their tag."""
    for pin in pins.load().pins.values():
        text = (DOCKER / f"{pin.family}.Dockerfile").read_text()
        wheel = requirement(pin.family, "apache-tvm")
        assert ("github.com/apache/tvm" in text) == (not wheel)
        assert pin.tvm == (wheel or pin.tvm)
        assert pin.tvm.startswith("v") == (not wheel)


def test_cmake_is_new_enough_and_found_where_tvm_is_built() -> None:
    """TVM 0.19 and 0.27 need 3.18 (CMakeLists.txt); Ubuntu 20.04 has 3.16."""
    for family in ("jetpack5", "jetpack6"):
        version = tuple(int(part) for part in requirement(family, "cmake").split("."))
        assert (3, 18) <= version < (4,)
        building = next(
            one for one in stages((DOCKER / f"{family}.Dockerfile").read_text()) if one[0].endswith(" AS tvm")
        )
        assert any(line.startswith("ENV PATH=/opt/runtimes/bin:") for line in building)
        assert not any(re.search(r"install .*\bcmake\b", line) for line in building if "apt-get" in line)


def test_llvm_of_the_build_is_the_one_of_the_run() -> None:
    for family in ("jetpack5", "jetpack6"):
        text = (DOCKER / f"{family}.Dockerfile").read_text()
        numbers = set(re.findall(r"(?:llvm-|libllvm|llvm-config-)(\d+)", text))
        assert len(numbers) == 1, numbers


NVIDIAS = sorted({pin.family for pin in pins.load().pins.values() if pin.base.startswith("nvcr.io/")})


def asks_no_source_of_nvidia(text: str) -> bool:
    """Before packages are asked for in anything that starts from an image of NVIDIA."""
    outside = [one for one in stages(text) if one[0].split()[1] in BASES]
    first = [next(line for line in one if "apt-get" in line) for one in outside]
    dropping = r"RUN find /etc/apt -name '*.list' -exec sed -i '/nvidia\.com/d' {} + && apt-get update "
    return all(re.sub(" +", " ", line).startswith(dropping) for line in first)


@pytest.mark.parametrize("family", NVIDIAS)
def test_sources_that_nvidias_images_name_and_that_are_gone_stop_no_build(family: str) -> None:
    """r8.6.2 names a release r36.0 that is not there."""
    text = (DOCKER / f"{family}.Dockerfile").read_text()
    assert asks_no_source_of_nvidia(text)
    dropping = re.findall(r"find /etc/apt .*\n && ", text)
    assert len(dropping) == 2
    assert not asks_no_source_of_nvidia(text.replace(dropping[0], "", 1)), "in the first stage"
    assert not asks_no_source_of_nvidia("".join(text.rsplit(dropping[1], 1))), "in the last"


def has_nvcc(text: str) -> bool:
    """TVM calls it when it builds an engine for a GPU; runtime bases have none."""
    copied = any("bin/nvcc " in line for line in starting(text, "RUN"))
    brought = copied and any("/opt/runtimes/cuda/bin:" in line for line in stages(text)[-1])
    return brought or "RUN nvcc --version" in stages(text)[-1]


@pytest.mark.parametrize("family", NVIDIAS)
def test_tvm_finds_nvcc_where_engines_are_built(family: str) -> None:
    text = (DOCKER / f"{family}.Dockerfile").read_text()
    assert has_nvcc(text)
    assert not has_nvcc(text.replace("bin/nvcc ", "").replace("RUN nvcc --version", ""))
    assert not has_nvcc(text.replace("/opt/runtimes/cuda/bin:", "").replace("RUN nvcc --version", ""))
    by_package = {Version(pin.tvm) >= Version("0.27") for pin in pins.load().pins.values() if pin.family == family}
    assert {"TVM_CUDA_COMPILE_MODE=nvcc" in text} == by_package, "0.27 takes NVRTC if it is not told"
