#!/bin/sh
# A Debian of another suite with its Docker engine and clients, for tests: built once, then kept; prints its folder.
# usage: debian-root.sh SUITE
set -eu
suite=$1
roots=${WEAVETS_ROOTS:-/var/tmp/weavets-lab/roots}
mkdir -p "$roots"
# One at a time: tests of several files ask for the same one.
exec 9>"$roots/$suite.lock"
flock 9
if [ ! -d "$roots/$suite" ]; then
  building=$roots/$suite.building
  rm -rf "$building"
  debootstrap --variant=minbase \
    --include=docker.io,docker-cli,docker-buildx,docker-compose,iptables,iproute2,kmod,ca-certificates \
    "$suite" "$building" >"$roots/$suite.log" 2>&1 || {
    tail -n 20 "$roots/$suite.log" >&2
    echo "debian-root: debootstrap of $suite failed; all of it is in $roots/$suite.log" >&2
    exit 1
  }
  rm -rf "$building/var/cache/apt/archives" "$building/var/lib/apt/lists"
  # Whole or not there at all.
  mv "$building" "$roots/$suite"
fi
echo "$roots/$suite"
