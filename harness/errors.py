"""Floor: the exceptions of the harness, named after who must act; each message says what, where, and what to do.

HarnessError
├── PlanError        the user must change a plan, a variable or a flag          exit 2
├── ModelError       the user must mend or fetch a model file                   exit 2
│   └── UnfitModel   the same, where nothing else is to be measured
├── RecordError      a stored file cannot be read: its writer or reader is old  exit 2
├── StorageError     the disk is full, read-only or not ours to write to        exit 2
├── Unsupported      nobody: this machine cannot do it, the cell is *skipped*
├── BuildError       whoever owns the model or the backend: the cell is *failed*
├── AccuracyError    the same, outputs are wrong: the cell is *failed*
├── DeviceError      whoever shares, powers or overfills the device: *failed* out of memory, else *crashed*
├── RefusedArchive   nobody: what a container left is not what a worker writes, the cell is *crashed*
└── LaunchError      docker or the board must be mended                         exit 3

Anything else is a bug and shows its traceback.
"""

import errno

STORAGE = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG)
"""What the system says when the disk is the reason."""
STORAGE_STATUS = 74
"""Exit status of a worker that could not write, as sysexits.h numbers it."""


class HarnessError(Exception):
    """Shown to the user as one line; `exit_code` is what `python -m harness` then ends with."""

    exit_code = 1


class PlanError(HarnessError):
    exit_code = 2


class ModelError(HarnessError):
    exit_code = 2


class UnfitModel(ModelError):
    """A file that is a model and cannot be measured as it was asked for: beside others its cells alone are *failed*."""


class RecordError(HarnessError):
    exit_code = 2


class StorageError(HarnessError):
    exit_code = 2

    @classmethod
    def of(cls, error: OSError, where: object = None) -> "StorageError":
        """In words, with the file that the system named."""
        place = where or error.filename or "the results folder"
        return cls(
            f"{place}: {error.strerror}; what had ended is kept. Make room or mend it, then run the command again"
        )


class Unsupported(HarnessError):
    pass


class BuildError(HarnessError):
    pass


class AccuracyError(HarnessError):
    pass


class DeviceError(HarnessError):
    """A device refused or is gone; `name` is CUDA's for it (`CUDA_ERROR_OUT_OF_MEMORY`)."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name

    @property
    def status(self) -> str:
        """How a cell ends by it: too little memory will be too little again; all else may pass, as a crash may."""
        return "failed" if self.name == "CUDA_ERROR_OUT_OF_MEMORY" else "crashed"


class RefusedArchive(HarnessError):
    """Something came out of a container that no worker of ours writes; says which member and why."""


class LaunchError(HarnessError):
    exit_code = 3
