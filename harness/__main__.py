"""`python -m harness`: the host's command line, with a word for whoever starts it outside its environment."""

import sys

if sys.platform == "win32":
    sys.exit("the harness does not run on Windows itself; run it in WSL2 or on Linux")

try:
    from harness.host.cli import main
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] == "harness":
        raise
    sys.exit(
        f"python -m harness: {error.name} is not installed for {sys.executable}; "
        "`make` targets install all that is needed into .venv, or use .venv/<version>/bin/python -m harness"
    )

sys.exit(main())
