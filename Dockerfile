# The container image. `make image` builds it from this file without Docker; docs/image.md says how
# to build, verify and run it.
#
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --build-arg VERSION="$(git describe --tags --always --dirty)" \
#     --build-arg REVISION="$(git rev-parse HEAD)" .
#
# The digest is that of the tag's index for all platforms. A new one comes from
# `docker buildx imagetools inspect golang:<tag>`.
FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine3.24@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
# The toolchain that go.mod names may be a patch ahead of the image's.
ENV GOTOOLCHAIN=auto
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    mkdir /out && cd tools/roots && go run . >/out/ca-certificates.crt
# The compiler runs on the machine that builds, whatever it builds for: no emulation.
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
ARG REVISION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -tags timetzdata,nomsgpack \
      -ldflags "-s -w -X main.version=$VERSION -X main.revision=$REVISION" \
      -o /out/$TARGETARCH/theeye ./cmd/theeye

# No shell, no package manager, nothing to patch but the program: the time zones are
# inside it (timetzdata), the CA certificates are the only other file.
FROM scratch
ARG TARGETARCH
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="The Eye" \
      org.opencontainers.image.description="A self-hosted collector of user-behaviour events" \
      org.opencontainers.image.source="https://github.com/the-eye-events/the-eye" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
WORKDIR /
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/$TARGETARCH/theeye /theeye
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/theeye"]
CMD ["serve"]
