FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin gateway

FROM debian:bookworm-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/gateway --shell /usr/sbin/nologin gateway
COPY --from=build /src/target/release/gateway /usr/local/bin/gateway
USER 10001
# Below data/: the journal, and without DATABASE_URL and GATEWAY_MASTER_KEY the database and the key.
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
ENV GATEWAY_SERVER__LISTEN=0.0.0.0:8000
EXPOSE 8000
# Bash speaks HTTP well enough, so that the image needs no client for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q alive <&3"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
