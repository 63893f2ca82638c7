#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine; does nothing if everything is there.
# usage: setup.sh [--test|--engines]   --test: also what tests and benchmarks need, including the newest engine;
#                                      --engines: and the other engines
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
die() { say "setup: $*"; exit 1; }

[ "$(id -u)" = 0 ] || die 'must run as root: it installs packages and makes network interfaces; try sudo'
node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||a===20&&b>=11?0:1)' 2>/dev/null ||
  die "Node 20.11 or newer is needed, but ${NODE_VERSION:-$(node -v 2>/dev/null || echo none)} is installed"

packages=()
need() { # need COMMAND PACKAGE...
  command -v "$1" >/dev/null 2>&1 || packages+=("${@:2}")
}
PATH=$PATH:/usr/sbin:/sbin
need dockerd docker.io
# In newer releases the client is a separate package.
if ! command -v docker >/dev/null 2>&1 && apt-cache show docker-cli >/dev/null 2>&1; then packages+=(docker-cli); fi
need ip iproute2
need iptables-restore iptables
need nsenter util-linux
need sysctl procps
need cc gcc libc6-dev
[ -e /bin/busybox ] || packages+=(busybox-static)
if [ "${1:-}" = --test ] || [ "${1:-}" = --engines ]; then
  need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  need musl-gcc musl-tools
  need qemu-aarch64-static qemu-user-static
  need debootstrap debootstrap
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages+=(debian-archive-keyring)
  need tcpdump tcpdump
  need socat socat
  need script bsdutils
  need dnsmasq dnsmasq-base
  need dnsperf dnsperf
  need openssl openssl
  need curl curl
  need git git
  need docker-compose docker-compose
  need etcd etcd-server
  need etcdctl etcd-client
  need ovs-vswitchd openvswitch-switch
  need wg wireguard-tools
  need wireguard-go wireguard-go
  need ethtool ethtool
  need iperf3 iperf3
  need dig bind9-dnsutils
  need zsh zsh
  need chromium chromium
  need fish fish
  need groff groff-base
  need systemd-analyze systemd
  need nft nftables
  need dbus-daemon dbus-daemon
  [ -e /lib/systemd/system/dbus.service ] || packages+=(dbus)
  need bridge iproute2
  need setpriv util-linux
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages+=(libfaketime)
fi
if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null 2>&1 || die "cannot install ${packages[*]}: no apt-get here; install them by hand and try again"
  say "setup: installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2 || say 'setup: apt-get update failed; trying with the existing lists'
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
    die "apt-get could not install ${packages[*]}"
fi

# weavets raises this on its host; in the tests' hosts, which are network namespaces, it can't be written.
if [ "${1:-}" = --test ] && [ "$(sysctl -n net.core.rmem_max)" -lt 1048576 ]; then
  sysctl -qw net.core.rmem_max=1048576
fi

if [ "${1:-}" = --test ] && [ ! -x /var/tmp/weavets-lab/promtool ]; then
  # Of the package, only its tool: the server would be started with the rest.
  say 'setup: fetching promtool'
  fetched=$(mktemp -d)
  fetch() { apt-get download -qq prometheus 2>/dev/null; }
  (cd "$fetched" && { fetch || { apt-get update -qq && fetch; }; } && dpkg-deb -x prometheus_*.deb .) ||
    die "could not fetch Prometheus; can this machine reach Debian's package archive?"
  mkdir -p /var/tmp/weavets-lab
  mv "$fetched/usr/bin/promtool" /var/tmp/weavets-lab/promtool
  rm -rf "$fetched"
fi

# This takes minutes the first time; npm's packages and the build run meanwhile.
roots=()
case ${1:-} in
--test) roots=(sid) ;;
--engines) roots=(sid trixie sid-podman bookworm-bare trixie-bare bookworm-server trixie-server) ;;
esac
[ ${#roots[@]} -eq 0 ] || say "setup: building Debian roots with engines for the tests, if missing: ${roots[*]}"
[ ${#roots[@]} -eq 0 ] || sh scripts/resolver-root.sh >/dev/null ||
  die "could not get what the tests of names on the host need; can this machine reach Debian's package archive?"
(for root in "${roots[@]}"; do sh scripts/debian-root.sh "$root" >/dev/null || exit 1; done) &
building=$!

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say 'setup: installing the npm packages'
  npm ci --no-audit --no-fund --loglevel=error >&2
fi
say 'setup: building'
npm run --silent build >&2
wait "$building" || die "could not build a Debian root for the tests; can this machine reach Debian's package archive?"
