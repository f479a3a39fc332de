# Dermaga in a container, on SQLite unless DATABASE_URL says otherwise.
#
#   docker build -t dermaga .
#   docker run --network host -v dermaga:/data dermaga
#
# Until sign-in is configured the server runs in local mode: it listens on the loopback address alone,
# which inside a container of its own network nobody can reach. So share the host's network, as above.
# Once sign-in is configured, publish the port instead: -p 8080:8080.
#
#   docker build --target sbom --output . .
#
# writes dermaga.cdx.json: which crates the program is built from, in the format of CycloneDX.

# cargo-chef splits a build in two: first the dependencies, from a recipe made of the manifests, then
# the program. As long as the recipe is the same, the layer with the dependencies is taken from the cache.
FROM rust:1.95-bookworm AS toolchain
WORKDIR /src

FROM toolchain AS chef
RUN cargo install cargo-chef --version 0.1.78 --locked

FROM chef AS recipe
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=recipe /src/recipe.json recipe.json
RUN cargo chef cook --release --locked --package dermaga-api --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --package dermaga-api --bin dermaga

# By the manifests and the lock file: nothing is compiled but the tool. What only the build needs is marked as excluded.
FROM toolchain AS describe
RUN cargo install cargo-cyclonedx --version 0.5.9 --locked
COPY . .
# Each package of the workspace is described, beside its manifest.
RUN cargo fetch --locked && cargo cyclonedx --format json --spec-version 1.5

FROM scratch AS sbom
COPY --from=describe /src/api/dermaga-api.cdx.json /dermaga.cdx.json

FROM debian:bookworm-slim
COPY --from=build /src/target/release/dermaga /usr/local/bin/dermaga
COPY LICENSE web/graphiql/THIRD-PARTY.md /usr/share/doc/dermaga/
# By number, so that an orchestrator can see that it is not root. A new volume takes its owner from here.
RUN install -d -o 10001 -g 10001 /data
USER 10001:10001
WORKDIR /data
VOLUME /data
ENV DATABASE_URL=sqlite:///data/dermaga.db?mode=rwc
EXPOSE 8080
# By the settings that the environment has: /health is at DERMAGA_OPERATIONS_LISTEN, where that is set. Where a flag or a
# file sets it, only a health check that names the port knows: docs/operations.md.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD at=${DERMAGA_OPERATIONS_LISTEN:-${DERMAGA_LISTEN:-127.0.0.1:8080}}; \
        case $at in 0.0.0.0:*) at=127.0.0.1:${at##*:} ;; "[::]:"*) at="[::1]:${at##*:}" ;; esac; \
        exec dermaga health --url "http://$at/health/live"
ENTRYPOINT ["dermaga"]
CMD ["serve"]
