"""Two kernels in PTX, which every driver translates: no compiler of CUDA is needed, and both bindings share them."""

import ctypes
from typing import Any

from harness.device import Stream
from harness.device._driver import check, library

PTX = b"""
.version 6.3
.target sm_70
.address_size 64

// Runs for `ns` nanoseconds of the device's timer, and writes how long it was and the least step that the timer took.
.visible .entry spin(.param .u64 ns, .param .u64 out)
{
    .reg .pred %more, %stood;
    .reg .u64 %ns, %out, %start, %now, %last, %past, %step, %least;
    ld.param.u64 %ns, [ns];
    ld.param.u64 %out, [out];
    mov.u64 %least, 0x7fffffffffffffff;
    mov.u64 %start, %globaltimer;
    mov.u64 %last, %start;
again:
    mov.u64 %now, %globaltimer;
    sub.u64 %step, %now, %last;
    mov.u64 %last, %now;
    setp.eq.u64 %stood, %step, 0;
    selp.u64 %step, %least, %step, %stood;
    min.u64 %least, %least, %step;
    sub.u64 %past, %now, %start;
    setp.lt.u64 %more, %past, %ns;
    @%more bra again;
    st.global.u64 [%out], %past;
    st.global.u64 [%out+8], %least;
    ret;
}

// Adds one to `count` 32-bit integers in place.
.visible .entry add_one(.param .u64 data, .param .u32 count)
{
    .reg .pred %outside;
    .reg .u32 %block, %threads, %thread, %index, %count, %value;
    .reg .u64 %data, %offset;
    ld.param.u64 %data, [data];
    ld.param.u32 %count, [count];
    mov.u32 %block, %ctaid.x;
    mov.u32 %threads, %ntid.x;
    mov.u32 %thread, %tid.x;
    mad.lo.u32 %index, %block, %threads, %thread;
    setp.ge.u32 %outside, %index, %count;
    @%outside ret;
    mul.wide.u32 %offset, %index, 4;
    add.u64 %data, %data, %offset;
    ld.global.u32 %value, [%data];
    add.u32 %value, %value, 1;
    st.global.u32 [%data], %value;
    ret;
}
\0"""
THREADS = 256


class Kernels:
    """Loaded into the context that is current."""

    def __init__(self) -> None:
        self._module = ctypes.c_void_p()
        check(library().cuModuleLoadData(ctypes.byref(self._module), PTX), "cuModuleLoadData")
        self._functions = {name: self._function(name) for name in ("spin", "add_one")}

    def _function(self, name: str) -> ctypes.c_void_p:
        function = ctypes.c_void_p()
        found = library().cuModuleGetFunction(ctypes.byref(function), self._module, name.encode())
        check(found, "cuModuleGetFunction")
        return function

    def spin(self, stream: Stream, ns: int, out: int) -> None:
        """`out`: address of two 64-bit integers: how many nanoseconds it really was, and the timer's least step."""
        self._launch("spin", 1, 1, stream, ctypes.c_uint64(ns), ctypes.c_uint64(out))

    def add_one(self, stream: Stream, data: int, count: int) -> None:
        blocks = (count + THREADS - 1) // THREADS
        self._launch("add_one", blocks, THREADS, stream, ctypes.c_uint64(data), ctypes.c_uint32(count))

    def _launch(self, name: str, blocks: int, threads: int, stream: Stream, *arguments: Any) -> None:
        pointers = (ctypes.c_void_p * len(arguments))(
            *(ctypes.cast(ctypes.byref(one), ctypes.c_void_p) for one in arguments)
        )
        grid, block, shared = (blocks, 1, 1), (threads, 1, 1), 0
        handle = ctypes.c_void_p(stream.handle)
        code = library().cuLaunchKernel(self._functions[name], *grid, *block, shared, handle, pointers, None)
        check(code, "cuLaunchKernel")

    def close(self) -> None:
        library().cuModuleUnload(self._module)
