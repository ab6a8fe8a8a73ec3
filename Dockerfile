# syntax=docker/dockerfile:1
# The image of `zeroconf-ai serve`. docs/container.md says how to run it.
ARG PYTHON_IMAGE=python:3.14-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY custom_components/zeroconf_ai/core custom_components/zeroconf_ai/core
RUN python3 -m venv /opt/zeroconf-ai \
 && /opt/zeroconf-ai/bin/pip install --no-cache-dir --disable-pip-version-check ".[audio,portal,postgresql,speed]" \
 && /opt/zeroconf-ai/bin/pip uninstall --yes --quiet pip

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/zeroconf-ai /opt/zeroconf-ai
# The state (the provider's ID, API keys, usage) is in /data. The group is root's, so that a platform that chooses the user may write too.
RUN mkdir --mode=0770 /data && chown 10001:0 /data
ENV PATH=/opt/zeroconf-ai/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    XDG_STATE_HOME=/data
USER 10001:0
WORKDIR /data
VOLUME /data
EXPOSE 8000
# start-period: the database of an earlier version is migrated at the start.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python3", "-m", "zeroconf_ai.cli.container_health"]
ENTRYPOINT ["zeroconf-ai"]
CMD ["serve", "--port", "8000"]
