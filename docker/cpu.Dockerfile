# Any x86-64 or arm64 host without a GPU: ONNX Runtime and TVM for the processor. Runtimes only, no harness code.
ARG BASE
ARG DEVEL=${BASE}

FROM ${DEVEL} AS wheels
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/cpu.txt /tmp/requirements.txt
RUN python3 -m venv /opt/runtimes \
 && /opt/runtimes/bin/python -m pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: \
      -r /tmp/requirements.txt \
 && /opt/runtimes/bin/python -m compileall -q /opt/runtimes/lib

FROM ${BASE}
# g++ links what TVM compiles.
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /opt/runtimes /opt/runtimes
ENV PATH=/opt/runtimes/bin:$PATH PYTHONDONTWRITEBYTECODE=1
