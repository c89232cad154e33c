# JetPack 6 (L4T 36, Ubuntu 22.04, Python 3.10): TensorRT from the base, pycuda and TVM built against its CUDA.
# Not built by this project yet: no machine here reaches the registry of its base.
ARG BASE
ARG DEVEL

FROM ${DEVEL} AS wheels
ENV DEBIAN_FRONTEND=noninteractive CUDA_HOME=/usr/local/cuda
ENV PATH=$CUDA_HOME/bin:$PATH CPATH=$CUDA_HOME/include LIBRARY_PATH=$CUDA_HOME/lib64:$CUDA_HOME/lib64/stubs
# All that is installed comes from Ubuntu. NVIDIA's own sources are dropped first: those in its images name releases and
# keys that are gone (r36.0 in r8.6.2), and apt-get fails with the first source that does.
RUN find /etc/apt -name '*.list' -exec sed -i '/nvidia\.com/d' {} + \
 && apt-get update \
 && apt-get install -y --no-install-recommends build-essential ca-certificates python3-dev python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/jetpack6.txt /tmp/requirements.txt
# The venv sees the base's own tensorrt, which lies among the system's packages. pycuda has no wheel: built here.
RUN python3 -m venv --system-site-packages /opt/runtimes \
 && /opt/runtimes/bin/python -m pip install --no-cache-dir --require-hashes --no-binary pycuda -r /tmp/requirements.txt

FROM wheels AS tvm
ARG TVM
# Compute capabilities with a dot taken out, separated by semicolons: 72;87
ARG CUDA_ARCHITECTURES
# cmake and what builds TVM's package are among the requirements.
ENV PATH=/opt/runtimes/bin:$PATH CMAKE_GENERATOR=Ninja
RUN apt-get update \
 && apt-get install -y --no-install-recommends git llvm-15-dev ninja-build zlib1g-dev libxml2-dev \
 && rm -rf /var/lib/apt/lists/*
# TVM 0.27 is built by its package (pyproject.toml at the root), which turns CUDA off: config.cmake outdoes that.
RUN git clone --quiet --depth 1 --branch "$TVM" --recurse-submodules --shallow-submodules \
      https://github.com/apache/tvm /src/tvm \
 && printf 'set(%s "%s")\n' USE_LLVM llvm-config-15 USE_CUDA ON USE_CUDNN OFF USE_CUBLAS OFF USE_Z3 OFF \
      CMAKE_CUDA_ARCHITECTURES "$CUDA_ARCHITECTURES" > /src/tvm/config.cmake \
 && /opt/runtimes/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation /src/tvm
# TVM calls nvcc when it builds an engine, and the runtime base has none: compiler and headers, no libraries.
RUN mkdir /opt/runtimes/cuda && cd /usr/local/cuda/ \
 && cp -a --parents bin/nvcc bin/nvcc.profile bin/crt bin/cudafe++ bin/fatbinary bin/ptxas nvvm include \
      targets/*/include /opt/runtimes/cuda

FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive CUDA_HOME=/usr/local/cuda
# g++ links what TVM compiles, and nvcc calls it; libgomp and python3 are absent from the runtime base; LLVM is what
# TVM compiles with for the CPU.
RUN find /etc/apt -name '*.list' -exec sed -i '/nvidia\.com/d' {} + \
 && apt-get update \
 && apt-get install -y --no-install-recommends g++ libgomp1 libllvm15 python3 python3-distutils \
 && rm -rf /var/lib/apt/lists/*
COPY --from=tvm /opt/runtimes /opt/runtimes
ENV PATH=/opt/runtimes/bin:/opt/runtimes/cuda/bin:$CUDA_HOME/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# TVM's other way, NVRTC, needs one more package.
ENV TVM_CUDA_COMPILE_MODE=nvcc
