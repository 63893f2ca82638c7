# The daemon in a container; docker-compose.yml lists what it needs from the host.
FROM node:20-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /weavets
COPY package.json package-lock.json ./
RUN npm ci
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev

# The store for docker-compose.yml's profile `cluster`.
FROM node:20-bookworm-slim AS etcd
RUN apt-get update && apt-get install -y --no-install-recommends etcd-server && rm -rf /var/lib/apt/lists/* \
    && install -d -o etcd -g etcd -m 700 /var/lib/etcd
USER etcd
ENTRYPOINT ["etcd"]

FROM node:20-bookworm-slim
# wireguard-go is for kernels without WireGuard.
RUN apt-get update && apt-get install -y --no-install-recommends iproute2 iptables procps wireguard-go wireguard-tools \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /weavets
COPY --from=build /weavets/package.json ./
COPY --from=build /weavets/node_modules node_modules
COPY --from=build /weavets/dist dist
COPY docs docs
COPY bin/weavets bin/weavets
RUN ln -s /weavets/bin/weavets /usr/local/bin/weavets
# As in `weavets launch`, see src/cli/process/node-flags.ts.
ENV NODE_OPTIONS="--max-semi-space-size=2 --max-old-space-size=512 --disable-warning=DEP0123" MALLOC_TRIM_THRESHOLD_=131072
ENTRYPOINT ["weavets"]
CMD ["launch", "--foreground"]
