# Unlearn Studio without a window, for a server.
#
#   docker build -t unlearn-studio .
#   docker run --rm --user "$(id -u)" -v "$PWD:/data" unlearn-studio --example --out runs/example
#
# BASE is any image of Debian or Ubuntu that has Python 3.11 or newer with pip and venv. One that brings PyTorch keeps
# it: with --build-arg BASE=pytorch/pytorch:TAG (a tag with cuda in it), and `docker run --gpus all`, runs are on the GPU.
# Else pip gets PyTorch; PIP_EXTRA_INDEX_URL may name the index of a smaller build, such as the one for processors alone.
ARG BASE=python:3.13-slim

FROM ${BASE} AS wheel
COPY . /source
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM ${BASE}
ARG EXTRAS=onnx
ARG PIP_EXTRA_INDEX_URL=
COPY --from=wheel /wheels /wheels
RUN python3 -m venv --system-site-packages /opt/unlearn-studio \
    && for wheel in /wheels/*.whl; do \
    /opt/unlearn-studio/bin/pip install --no-cache-dir "${wheel}[${EXTRAS}]" || exit; done \
    && rm -r /wheels \
    && /opt/unlearn-studio/bin/unlearn-studio --version \
    && useradd --create-home --uid 10001 studio \
    && install --directory --owner=studio --group=studio /data
ENV PATH=/opt/unlearn-studio/bin:$PATH \
    UNLEARN_STUDIO_HOME=/data/unlearn-studio
USER 10001
WORKDIR /data
ENTRYPOINT ["unlearn-studio", "--no-window"]
CMD ["--help"]
