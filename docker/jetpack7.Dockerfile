# JetPack 7 (L4T 38, Ubuntu 24.04, Python 3.12): the server (SBSA) TensorRT image, whose CUDA 13 TVM's wheel is made for.
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
 && apt-get install -y --no-install-recommends build-essential ca-certificates python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/jetpack7.txt /tmp/requirements.txt
# The venv sees the base's own tensorrt, which lies among the system's packages. pycuda has no wheel: built here.
RUN python3 -m venv --system-site-packages /opt/runtimes \
 && /opt/runtimes/bin/python -m pip install --no-cache-dir --require-hashes --no-binary pycuda -r /tmp/requirements.txt

FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive CUDA_HOME=/usr/local/cuda
RUN find /etc/apt -name '*.list' -exec sed -i '/nvidia\.com/d' {} + \
 && apt-get update \
 && apt-get install -y --no-install-recommends g++ libgomp1 python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /opt/runtimes /opt/runtimes
ENV PATH=/opt/runtimes/bin:$CUDA_HOME/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# TVM calls nvcc when it builds an engine (its other way, NVRTC, needs one more package): a base without it is of no use.
ENV TVM_CUDA_COMPILE_MODE=nvcc
RUN nvcc --version
