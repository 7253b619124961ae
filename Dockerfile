# Spark's server. Two stages: what builds stays behind, the image has a virtual environment, git and nothing to compile with.
#
# The base is pinned by digest (of the multi-platform index). To renew it: choose a tag, take the digest that
# `docker buildx imagetools inspect python:TAG` shows first, and change both here.
FROM python:3.13.14-slim-bookworm@sha256:9d7f287598e1a5a978c015ee176d8216435aaf335ed69ac3c38dd1bbb10e8d64 AS base

FROM base AS build
WORKDIR /build
# The final stage takes the one program: Debian's package would bring Perl along.
# Not pinned: Debian keeps no older version of a package than the newest, so a pinned one fails within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/bootstrap.txt requirements/build.txt requirements/server.txt requirements/
# Everything that comes over the network is held against its hash.
RUN python -m venv /opt/tools \
    && /opt/tools/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes \
       -r requirements/bootstrap.txt -r requirements/build.txt
# Compiled now: without .pyc files each start costs a second more, and the image is read-only when it runs.
RUN python -m venv --without-pip /opt/spark \
    && /opt/tools/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/spark/bin/python \
       --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
RUN /opt/tools/bin/python -m hatchling build -t wheel -d dist \
    && /opt/tools/bin/uv pip install --quiet --no-cache --offline --no-deps --compile-bytecode \
       --python /opt/spark/bin/python dist/*.whl

FROM base
LABEL org.opencontainers.image.title="Spark" \
      org.opencontainers.image.description="Code review in seconds: the webhook server of a GitHub App" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/OWNER/spark"
ENV PATH="/opt/spark/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SPARK_DATABASE_URL="sqlite:////data/spark.db"
COPY --from=build /usr/bin/git /usr/bin/git
COPY --from=build /opt/spark /opt/spark
# A numbered user, for whoever asks that a container be not root; /data is all that it may write to.
# The last line fails the build where git lacks a library of the other stage.
RUN groupadd --gid 10001 spark \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin spark \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data \
    && python -c "from bot.git import diff_blobs; assert '+b' in diff_blobs(b'a\n', b'b\n')"
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["spark"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
