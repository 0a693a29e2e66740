# corsproxy as a container: the base image, one virtual environment, an unprivileged user.
# The configuration is /etc/corsproxy/corsproxy.yaml. Mount its directory, never the file alone:
# an edit replaces the file, but a mounted file would stay the old one.

ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The package is compiled; only this stage has the compiler.
RUN command -v gcc >/dev/null \
    || { apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*; }
RUN ["python3", "-m", "venv", "--without-pip", "/opt/corsproxy"]
RUN ["python3", "-m", "venv", "/opt/build"]
# The locked dependencies come first, so that a change of the sources does not fetch them again.
COPY locks locks
RUN python3 -m pip --python /opt/corsproxy/bin/python3 install --require-hashes -r locks/runtime.txt \
    && /opt/build/bin/python3 -m pip install --require-hashes -r locks/build.txt -r locks/runtime.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY corsproxy corsproxy
RUN CORSPROXY_COMPILE=1 /opt/build/bin/python3 -m hatchling build --target wheel --directory /opt/wheel \
    && python3 -m pip --python /opt/corsproxy/bin/python3 install --no-deps --no-index /opt/wheel/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="corsproxy" \
      org.opencontainers.image.description="A reverse proxy that adds CORS for the origins a YAML allowlist names" \
      org.opencontainers.image.licenses="MIT"
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/corsproxy /opt/corsproxy
ENV PATH=/opt/corsproxy/bin:${PATH}
# The base image has no bytecode of the standard library, and the container may not write any:
# importing every module once, here, saves each start and health check from compiling.
RUN ["python3", "-c", "import importlib, pkgutil, corsproxy; [importlib.import_module(m.name) for m in pkgutil.walk_packages(corsproxy.__path__, 'corsproxy.') if not m.name.endswith('__main__')]"]
# From here on nothing is written: the root file system may be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CORSPROXY_LISTEN=0.0.0.0:8010 \
    CORSPROXY_ADMIN=0.0.0.0:8011 \
    CORSPROXY_DRAIN_DELAY=5s \
    CORSPROXY_SHUTDOWN_GRACE=20s
WORKDIR /etc/corsproxy
# A number, because Kubernetes' runAsNonRoot does not resolve names.
USER 65532:65532
EXPOSE 8010 8011
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["corsproxy", "health"]
ENTRYPOINT ["corsproxy"]
CMD ["serve"]
