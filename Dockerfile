# tsvmm with its addon compiled. Run it with the host's KVM:
#   docker build -t tsvmm . && docker run --rm -it --device /dev/kvm tsvmm doctor
FROM node:20-bookworm AS build
WORKDIR /usr/src/tsvmm
COPY package.json package-lock.json binding.gyp ./
COPY native native
COPY scripts/build-native.mjs scripts/build-native.mjs
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json rolldown.config.js ./
COPY src src
RUN npm run build:ts && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
WORKDIR /usr/lib/tsvmm
COPY --from=build /usr/src/tsvmm/package.json ./
COPY --from=build /usr/src/tsvmm/node_modules node_modules
COPY --from=build /usr/src/tsvmm/build/Release/tsvmm.node build/Release/tsvmm.node
COPY --from=build /usr/src/tsvmm/dist dist
ENTRYPOINT ["node", "/usr/lib/tsvmm/dist/cli.cjs"]
