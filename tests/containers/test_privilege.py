"""Labels, and how little a container may do: what Docker's SDK makes of it, and how a GPU is reached."""

import json
from typing import Dict, List, Optional

import pytest
from docker.types import HostConfig

from harness.backends import tensorrt
from harness.errors import LaunchError
from harness.host.containers import labels, launcher, pins, privilege

PINS = pins.load()
INFO: Dict[str, object] = {"Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}}}
BARE: Dict[str, object] = {"Runtimes": {"runc": {}}}


def gpu(
    pin: str = "5.1.2",
    info: Dict[str, object] = INFO,
    l4t: Optional[str] = "35.4.1",
    groups: Optional[List[int]] = None,
) -> privilege.GpuAccess:
    return privilege.gpu(PINS.get(pin), info, l4t, groups or [], "lab")


def host_config(limits: privilege.Limits, access: Optional[privilege.GpuAccess] = None) -> Dict[str, object]:
    """As it goes over the wire."""
    mounts = [launcher.cell_mount("v"), *launcher.store_mounts()]
    options = access.options if access is not None else {}
    found: Dict[str, object] = json.loads(
        json.dumps(HostConfig(version="1.41", **privilege.least(mounts, limits), **options))
    )
    return found


def test_every_container_may_do_as_little_as_this() -> None:
    found = host_config(privilege.Limits(memory_bytes=70_000_000))
    assert found["NetworkMode"] == "none"
    assert found["CapDrop"] == ["ALL"]
    assert found["SecurityOpt"] == ["no-new-privileges"]
    assert found["ReadonlyRootfs"] is True
    assert found["PidsLimit"] == 512
    assert found["Memory"] == found["MemorySwap"] == 70_000_000, "swap would make it slow, not fail"
    assert found["OomScoreAdj"] == 1000
    assert found["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "2m", "max-file": "1"}}
    assert found["Ulimits"] == [{"Name": "core", "Soft": 0, "Hard": 0}]
    assert not {"Privileged", "CapAdd", "Binds", "Devices", "PidMode", "IpcMode", "UsernsMode"} & {
        key for key, value in found.items() if value
    }
    mounts = {one["Target"]: one for one in found["Mounts"]}  # type: ignore[attr-defined]
    assert set(mounts) == {"/cell", "/engines", "/models"}
    assert {one["Type"] for one in mounts.values()} == {"volume"}, "no path of the board is ever mounted"
    assert [name for name, one in mounts.items() if not one["ReadOnly"]] == ["/cell"]


def test_no_limit_of_memory_where_none_is_known() -> None:
    found = host_config(privilege.Limits())
    assert not found.get("Memory")
    assert not found.get("MemorySwap")


def test_nobody_is_the_user() -> None:
    assert privilege.USER > 1000


def test_a_jetson_needs_the_nvidia_runtime() -> None:
    """In csv mode, which Jetsons use, a device request is an error."""
    found = gpu(groups=[44, 109])
    assert found.words == "runtime nvidia"
    visible = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}
    assert found.environment == {**visible, tensorrt.OUTSIDE_L4T: "35.4.1"}, "the worker cannot see its board's L4T"
    config = host_config(privilege.Limits(), found)
    assert config["Runtime"] == "nvidia"
    assert config["GroupAdd"] == ["44", "109"], "numbers of the host: the image has no such names"
    assert not config.get("DeviceRequests")


@pytest.mark.parametrize("info", [BARE, {}, {"Runtimes": {}}, {"Runtimes": None}])
def test_a_jetson_without_the_runtime_is_told_what_to_install(info: Dict[str, object]) -> None:
    with pytest.raises(LaunchError) as caught:
        gpu(info=info)
    assert str(caught.value) == (
        "board lab: Docker has no runtime `nvidia`; install nvidia-container-toolkit there, then sudo nvidia-ctk "
        "runtime configure --runtime=docker && sudo systemctl restart docker"
    )


@pytest.mark.parametrize("info", [INFO, BARE])
def test_a_discrete_gpu_is_requested(info: Dict[str, object]) -> None:
    found = gpu(info=info, l4t=None, groups=[44])
    assert found.words == "device request"
    config = host_config(privilege.Limits(), found)
    requests = [{"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}]
    assert config["DeviceRequests"] == requests
    assert "Runtime" not in config
    assert "GroupAdd" not in config


@pytest.mark.parametrize("l4t", [None, "35.4.1"])
def test_a_pin_without_cuda_asks_for_nothing(l4t: Optional[str]) -> None:
    assert gpu("cpu", BARE, l4t, [44]) == privilege.GpuAccess({}, {}, "none")


def test_labels() -> None:
    found = labels.labels("cell", labels.of_cell({"run": "r", "cell": "c", "round": "2"}))
    assert found == {
        "jetson-inference-harness": "1",
        "jetson-inference-harness.role": "cell",
        labels.RUN: "r",
        labels.CELL: "c",
        "jetson-inference-harness.round": "2",
    }
    assert labels.labels("keeper", {labels.OWNER: "x"})[labels.OWNER] == "x"
    labels.labels("cell")["more"] = "x"
    assert labels.labels("cell") == {labels.PROJECT: "1", labels.ROLE: "cell"}, "nothing is shared between calls"


def test_what_is_ours_is_found_by_both_labels() -> None:
    assert labels.ours() == {"label": ["jetson-inference-harness"]}
    assert labels.ours("cell") == {"label": ["jetson-inference-harness", "jetson-inference-harness.role=cell"]}
    marks = labels.labels("cell")
    for one in labels.ours("cell")["label"]:
        name, _, value = one.partition("=")
        assert name in marks
        assert value in ("", marks[name])
