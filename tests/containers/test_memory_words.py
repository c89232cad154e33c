"""Who is believed that memory ended a worker, and in which order; a status of 137 is nobody's word."""

from typing import Callable, Dict, Optional

import pytest

from harness.host.containers import memory_words

ID = "4f5e" * 16
OTHER = "0a1b" * 16
KILLED: Dict[str, object] = {"ExitCode": 137, "OOMKilled": False, "Pid": 0}
FLAGGED = {**KILLED, "OOMKilled": True}
V2 = b"peak 69992448\nlow 0\nhigh 0\nmax 61\noom 1\noom_kill 1\n"
V1 = b"peak 69992448\noom_kill_disable 0\nunder_oom 0\noom_kill 1\n"
CALM = b"peak 5000000\nlow 0\noom 0\noom_kill 0\n"


def log_of_kernel(victim: str = ID, asked: str = ID) -> str:
    """As Linux 5.10 writes it, with the cgroup below systemd."""
    return (
        "[  812.1] python3 invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=1000\n"
        f"[  812.2] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=docker-{asked}.scope,mems_allowed=0,"
        f"global_oom,task_memcg=/system.slice/docker-{victim}.scope,task=python3,pid=4711,uid=10001\n"
        "[  812.3] Out of memory: Killed process 4711 (python3) total-vm:9000000kB, anon-rss:8000000kB\n"
    )


def said(
    state: Dict[str, object] = KILLED,
    counted: Optional[bytes] = CALM,
    log: str = "",
    kernel_log: Optional[Callable[[], str]] = str,
    limit: Optional[int] = 70_000_000,
) -> str:
    return memory_words.said(state, counted, limit, log, ID, kernel_log)


def test_a_status_of_137_alone_says_nothing() -> None:
    assert said() == ""
    assert said(counted=None) == ""
    assert said(counted=b"") == ""


def test_the_order() -> None:
    """Each is believed only where those before it said nothing."""
    everything = {"state": FLAGGED, "counted": V2, "kernel_log": log_of_kernel, "log": "NvMapMemAllocInternalTagged: 1"}
    assert said(**everything).startswith("out of memory, said by Docker's flag")  # type: ignore[arg-type]
    everything["state"] = KILLED
    assert said(**everything).startswith("out of memory, said by the container's cgroup")  # type: ignore[arg-type]
    everything["counted"] = CALM
    assert said(**everything).startswith("out of memory, said by the kernel's log")  # type: ignore[arg-type]
    everything["kernel_log"] = str
    assert said(**everything) == "out of memory, said by the runtime: NvMapMemAllocInternalTagged"  # type: ignore[arg-type]
    everything["log"] = ""
    assert said(**everything) == ""  # type: ignore[arg-type]


def test_the_figure_and_the_limit_where_they_are_known() -> None:
    for counted in (V2, V1):
        assert said(counted=counted) == (
            "out of memory, said by the container's cgroup, 70 MB taken of at most 70 MB of CPU memory"
        )
    assert said(FLAGGED, counted=None, limit=None) == "out of memory, said by Docker's flag"


def test_the_kernels_log_is_believed_of_the_victims_container_only() -> None:
    assert said(kernel_log=log_of_kernel)
    assert said(kernel_log=lambda: log_of_kernel(asked=OTHER))
    assert said(kernel_log=lambda: log_of_kernel(victim=OTHER)) == "", "it asked, another died"
    assert said(kernel_log=lambda: "Killed process 4711 (python3)") == ""


def test_this_machines_log_says_nothing_of_a_board_elsewhere() -> None:
    assert said(kernel_log=None) == ""
    assert said(FLAGGED, kernel_log=None)


def test_the_log_is_not_read_where_something_spoke_before() -> None:
    def never() -> str:
        raise AssertionError("read without need")

    assert said(FLAGGED, kernel_log=never)
    assert said(counted=V2, kernel_log=never)
    assert said({**FLAGGED, "ExitCode": 0}, kernel_log=never) == "", "who ended well lacked nothing"


@pytest.mark.parametrize(
    ("log", "word"),
    [
        (
            "NvMapMemAllocInternalTagged: 1075072515 error 12\nNvMapMemHandleAlloc: error 0",
            "NvMapMemAllocInternalTagged",
        ),
        ("NvMapMemHandleAlloc: error 0", "NvMapMemHandleAlloc"),
        ("RuntimeError: cudaErrorMemoryAllocation: out of memory", "cudaErrorMemoryAllocation"),
        ("tvm.error.InternalError: CUDA: CUDA_ERROR_OUT_OF_MEMORY", "CUDA_ERROR_OUT_OF_MEMORY"),
        (
            "[TRT] [E] 1: [defaultAllocator.cpp::allocate::19] Error Code 1: Cuda Runtime (out of memory)",
            "Cuda Runtime ",
        ),
        ("pycuda._driver.MemoryError: cuMemAlloc failed: out of memory", "pycuda._driver.MemoryError"),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
            "std::bad_alloc",
        ),
        (
            "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 3 GiB",
            "numpy.core._exceptions._ArrayMemoryError",
        ),
    ],
)
def test_a_runtimes_own_words(log: str, word: str) -> None:
    text = said({"ExitCode": 1, "OOMKilled": False}, log=f"loading\n{log}\n")
    assert text.startswith(f"out of memory, said by the runtime: {word}")


@pytest.mark.parametrize(
    "log", ["memory: 5 GB", "NvMap initialised", "peak memory 5", "MemoryErrors: 0", "no file /a/MemoryError/b"]
)
def test_words_that_only_mention_memory(log: str) -> None:
    assert said(log=log) == ""


@pytest.mark.parametrize(
    "counted",
    [b"oom_kill " + b"9" * 10_000, b"oom_kill -1\n", b"oom_kill one\n", b"\xff\xfe\0", "oom_kill \u0661".encode()],
)
def test_a_file_that_the_worker_wrote_itself_breaks_nothing(counted: bytes) -> None:
    assert said(counted=counted) == ""
