# The service and its workers, for amd64 and arm64:
#   docker build -f docker/service.Dockerfile -t haq-service .
# docker/compose.yaml runs them with a read-only root and without capabilities.

FROM python:3.11-slim-bookworm AS build
# torch for processors: PyPI's brings 5 GB for graphics cards along.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/haq \
    && /opt/haq/bin/pip install --no-cache-dir --no-deps --index-url $TORCH_INDEX 'torch>=2.10,<2.14'
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY haq haq
COPY env env
COPY quant quant
COPY device_agent device_agent
COPY api api
RUN /opt/haq/bin/pip install --no-cache-dir '.[search,postgresql]'

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10002 haq \
    && useradd --uid 10002 --gid haq --home-dir /data --no-create-home --shell /usr/sbin/nologin haq \
    && install --directory --owner=haq --group=haq --mode=0700 /data
COPY --from=build /opt/haq /opt/haq
COPY docker/healthcheck.py /opt/haq/healthcheck.py
ENV PATH=/opt/haq/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HAQ_SERVICE_HOST=0.0.0.0 \
    HAQ_SERVICE_PORT=8200 \
    HAQ_SERVICE_DATA_DIR=/data \
    HAQ_CACHE=/data/cache
USER 10002
WORKDIR /data
VOLUME /data
EXPOSE 8200
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "/opt/haq/healthcheck.py", "service"]
ENTRYPOINT ["haq"]
CMD ["serve"]
