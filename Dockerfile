# Two images: the API (--target api) and the daemon (--target evenkeel). Each holds one static executable and CA certificates.
#
#   docker build -t evenkeel-api --target api .
#   docker build -t evenkeel --target evenkeel --platform linux/arm64 .      for the other architecture, by cross compiling
#
# Arguments: VERSION, REVISION, SOURCE (labels), RDS_BUNDLE_SHA256 (see below). No HEALTHCHECK: ECS and its load balancer have
# their own. Nothing is written at run time: run it with --read-only.
ARG VERSION=
ARG REVISION=
ARG SOURCE=

# The compiler runs on the machine's own architecture. A builder without BuildKit does not say which that is.
FROM --platform=${BUILDPLATFORM:-linux/amd64} rust:1.95-slim-bookworm AS tools
ARG TARGETARCH
# For the stages that follow, to whom an ARG is not handed on by every builder.
ENV TARGETARCH=${TARGETARCH}
# CA certificates, and for the other architecture its compiler, C library and Rust's. No versions: Debian keeps but one.
# hadolint ignore=DL3008,SC2086
RUN case "$(uname -m) $TARGETARCH" in \
        "x86_64 arm64") cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"; rustup target add aarch64-unknown-linux-gnu ;; \
        "aarch64 amd64") cross="gcc-x86-64-linux-gnu libc6-dev-amd64-cross"; rustup target add x86_64-unknown-linux-gnu ;; \
        *) cross= ;; \
    esac \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ${cross} \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# Dependencies need these alone, so their layer outlives every change of the sources, and unlike a cache mount it can be kept
# by a CI that keeps layers.
COPY Cargo.toml Cargo.lock ./
COPY service/Cargo.toml service/
COPY emulator/Cargo.toml emulator/
COPY tests/simulation/Cargo.toml tests/simulation/
COPY scripts/static scripts/

FROM tools AS build-api
RUN scripts/static --dependencies api
COPY . .
RUN scripts/static api && mv target/*/lean/api /

FROM tools AS build-evenkeel
RUN scripts/static --dependencies evenkeel
COPY . .
RUN scripts/static evenkeel && mv target/*/release/evenkeel /

# Amazon RDS's CAs, which are not among the system's. To pin them, build with RDS_BUNDLE_SHA256 set to the sum you checked;
# AWS adds to the bundle now and then.
FROM tools AS rds
ARG RDS_BUNDLE_SHA256=
ADD https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /rds.pem
RUN chmod 444 /rds.pem \
    && if [ -n "$RDS_BUNDLE_SHA256" ]; then echo "$RDS_BUNDLE_SHA256  /rds.pem" > /rds.sum && sha256sum -c /rds.sum; fi

# What both images have.
FROM scratch AS base
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=tools /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Nobody in particular; there is no /etc/passwd to have a name in.
USER 65532:65532

FROM base AS evenkeel
LABEL org.opencontainers.image.title="evenkeel" \
      org.opencontainers.image.description="Keeps Amazon ECS services on an even keel, without Kubernetes"
COPY --from=build-evenkeel /evenkeel /evenkeel
EXPOSE 9180
ENTRYPOINT ["/evenkeel"]
CMD ["run"]

FROM base AS api
ARG VERSION
LABEL org.opencontainers.image.title="api" \
      org.opencontainers.image.description="A cache-aside HTTP API: Redis first, PostgreSQL on a miss"
# What it says it is: the `Server` header, /health, a metric. Empty: the package's version.
ENV SERVICE_VERSION=${VERSION}
COPY --from=rds /rds.pem /etc/ssl/rds.pem
COPY --from=build-api /api /api
# 80 needs no privilege: Docker and Fargate set net.ipv4.ip_unprivileged_port_start to 0 in a container's network.
EXPOSE 80 9100
ENTRYPOINT ["/api"]
