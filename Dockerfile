# syntax=docker/dockerfile:1
# A static binary, a user without privileges, a root file system that may be
# read-only: everything that changes lives in /var/lib/sallyport.
#
# Not tested: the project's test machines have no container engine, so this file
# has been read but not built there. What it runs (`make cross` and the binary
# itself) is tested.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/sallyport ./cmd/sallyport \
 && mkdir -p /out/var/lib/sallyport

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/sallyport /sallyport
COPY --from=build --chown=65532:65532 /out/var/lib/sallyport /var/lib/sallyport
USER 65532:65532
VOLUME /var/lib/sallyport
# 8443 and 8080: without privileges the low ports are not ours; publish them as 443 and 80.
EXPOSE 8443 8080
ENTRYPOINT ["/sallyport"]
CMD ["serve", "--config", "/etc/sallyport/sallyport.yaml"]
