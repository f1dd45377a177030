# The device agent, for amd64 and arm64 boards:
#   docker build -f docker/agent.Dockerfile -t haq-agent .
# docker/compose.yaml runs it with a read-only root and without capabilities.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY haq haq
COPY env env
COPY quant quant
COPY device_agent device_agent
RUN python -m venv /opt/haq && /opt/haq/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 haq \
    && useradd --uid 10001 --gid haq --home-dir /data --no-create-home --shell /usr/sbin/nologin haq \
    && install --directory --owner=haq --group=haq --mode=0700 /data
COPY --from=build /opt/haq /opt/haq
COPY docker/healthcheck.py /opt/haq/healthcheck.py
ENV PATH=/opt/haq/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HAQ_AGENT_HOST=0.0.0.0 \
    HAQ_AGENT_PORT=8100 \
    HAQ_AGENT_DATA_DIR=/data \
    HAQ_AGENT_KEYS_FILE=/data/keys
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8100
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "/opt/haq/healthcheck.py", "agent"]
ENTRYPOINT ["haq-agent"]
