"""`python3 -m harness.host.setup FOLDER LOCK...`: makes the virtual environment that all else runs in.

Runs on the bare interpreter before anything is installed, so it imports the standard library alone, and its syntax is
old enough for an interpreter that is too old to be told so.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, OLDEST_TVM = (3, 8), (3, 10)
NEEDED_BYTES = 1500 * 1000 * 1000
LINKERS = ("g++", "clang++", "c++")
INSTALLERS = {
    # program: (command, package that brings venv, package that brings a C++ linker)
    "apt-get": ("apt-get install -y", "python{0}.{1}-venv", "g++"),
    "dnf": ("dnf install -y", "python{0}.{1}", "gcc-c++"),
    "zypper": ("zypper install -y", "python{0}{1}", "gcc-c++"),
    "pacman": ("pacman -S --noconfirm", "python", "gcc"),
    "apk": ("apk add", "python3", "g++"),
}


def missing(version=sys.version_info, find=shutil.which, backends=None):
    """Problem and package for everything that must be installed first; `backends` is what the user wants, or None."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401

        has_venv = True
    except ImportError:
        has_venv = False
    found = []
    if not has_venv:
        found.append(("this Python cannot make virtual environments (venv and ensurepip are missing)", 1))
    wants_tvm = version[:2] >= OLDEST_TVM and (not backends or "tvm" in backends.split(","))
    if wants_tvm and not any(find(name) for name in LINKERS):
        found.append(("there is no C++ linker on the PATH ({0}); TVM needs one".format(", ".join(LINKERS)), 2))
    return found


def cure(problems, version=sys.version_info, find=shutil.which, root=None):
    """The one command that installs what `problems` lack."""
    for program, row in INSTALLERS.items():
        if find(program):
            sudo = "" if (root if root is not None else os.geteuid() == 0) else "sudo "
            packages = [row[which].format(version[0], version[1]) for _, which in problems]
            return "{0}{1} {2}".format(sudo, row[0], " ".join(packages))
    return "install with your package manager: " + ", ".join(
        ("", "venv for this Python", "g++")[w] for _, w in problems
    )


def refuse(version=sys.version_info, system=sys.platform):
    """Why this interpreter or system cannot do it at all; empty when it can."""
    if system == "win32":
        return "the harness does not run on Windows itself; run it in WSL2 or on Linux"
    if version[:2] < OLDEST:
        return (
            "Python {0}.{1} is too old, 3.8 to 3.13 are supported; name another one: make demo PYTHON=python3.11"
        ).format(version[0], version[1])
    return ""


def install(folder, locks):
    """Makes `folder` a virtual environment with what `locks` pin; a lock installed before is not installed again."""
    python = folder / "bin" / "python"
    todo = [lock for lock in locks if _stamp(folder, lock).read_text() != _hash(lock)] if python.exists() else locks
    if not todo:
        return
    free = shutil.disk_usage(str(_existing(folder))).free
    if free < NEEDED_BYTES:
        text = "set-up: {0:.1f} GB are free at {1}, {2:.1f} GB are needed: make room, then run the command again"
        sys.exit(text.format(free / 1e9, _existing(folder), NEEDED_BYTES / 1e9))
    if not python.exists():
        _say("making {0} with Python {1}".format(folder, platform.python_version()))
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], folder.parent)
    for lock in todo:
        _say("installing {0} (pinned and hashed; about half a minute)".format(lock))
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input"]
        _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)], folder)
        _stamp(folder, lock).write_text(_hash(lock))


def _run(command, log_folder):
    """Runs quietly; on failure shows the end of what was printed, and the whole of it stays in a file."""
    log_folder.mkdir(parents=True, exist_ok=True)
    log = log_folder / "set-up.log"
    with log.open("wb") as file:
        code = subprocess.call(command, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        sys.stderr.write("\n".join(lines[-15:]) + "\n")
        sys.exit(
            "set-up: this failed with status {0}: {1}\nall it printed is in {2}; is the network there?".format(
                code, " ".join(command), log
            )
        )


def _stamp(folder, lock):
    path = folder / "installed-{0}".format(Path(lock).stem)
    if not path.exists() and folder.exists():
        path.write_text("")
    return path


def _hash(lock):
    return hashlib.sha256(Path(lock).read_bytes()).hexdigest()


def _existing(path):
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _say(text):
    sys.stderr.write("set-up: " + text + "\n")
    sys.stderr.flush()


def main(arguments):
    reason = refuse()
    if reason:
        sys.exit("set-up: " + reason)
    problems = missing(backends=os.environ.get("BACKENDS"))
    if problems:
        lines = ["set-up: " + text for text, _ in problems]
        sys.exit("\n".join([*lines, "cure: " + cure(problems)]))
    install(Path(arguments[0]), [Path(lock) for lock in arguments[1:]])


if __name__ == "__main__":
    main(sys.argv[1:])
