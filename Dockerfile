# tsvmm as its package installs it. Run it with the host's KVM:
#   docker build -t tsvmm . && docker run --rm -it --device /dev/kvm tsvmm doctor
FROM node:24-bookworm AS build
WORKDIR /usr/src/tsvmm
COPY package.json package-lock.json binding.gyp ./
COPY native native
COPY scripts scripts
RUN npm ci --no-audit --no-fund
COPY LICENSE README.md tsconfig.json tsconfig.build.json rolldown.config.js ./
COPY schema schema
COPY src src
RUN npm pack && npm install --global --prefix /opt/tsvmm --no-audit --no-fund ./tsvmm-*.tgz

FROM node:24-bookworm-slim
COPY --from=build /opt/tsvmm /usr/local
ENTRYPOINT ["tsvmm"]
