#!/bin/sh
# A Debian root of another suite with an engine and its clients, for tests: built once, then kept; prints its folder.
# usage: debian-root.sh trixie|sid|sid-podman|bookworm-bare|trixie-bare|bookworm-server|trixie-server; bare: without an
# engine, to install packages in; server: as bare, with systemd
set -eu
name=$1
suite=${name%-*}
case $name in
*-podman) packages=podman,runc,netavark,aardvark-dns,catatonit,nftables,docker-cli,docker-compose ;;
*-bare) packages=ca-certificates ;;
*-server) packages=ca-certificates,systemd-sysv,dbus ;;
*) packages=docker.io,docker-cli,docker-buildx,docker-compose ;;
esac
roots=${WEAVETS_ROOTS:-/var/tmp/weavets-lab/roots}
mkdir -p "$roots"
# One at a time: tests of several files ask for the same one.
exec 9>"$roots/$name.lock"
flock 9
if [ ! -d "$roots/$name" ]; then
  building=$roots/$name.building
  case $name in *-bare | *-server) ;; *) packages=$packages,iptables,iproute2,kmod,ca-certificates ;; esac
  for attempt in 1 2 3; do
    rm -rf "$building"
    debootstrap --variant=minbase --include="$packages" \
      "$suite" "$building" >"$roots/$name.log" 2>&1 && break
    tail -n 20 "$roots/$name.log" >&2
    # A mirror in the middle of an update, or a broken connection, may work the next time.
    echo "debian-root: debootstrap of $name failed ($attempt of 3); see $roots/$name.log" >&2
    [ "$attempt" -lt 3 ] || exit 1
  done
  rm -rf "$building/var/cache/apt/archives" "$building/var/lib/apt/lists"
  # Atomic: complete or absent.
  mv "$building" "$roots/$name"
fi
echo "$roots/$name"
