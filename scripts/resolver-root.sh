#!/bin/sh
# systemd-resolved, nss-mdns and Avahi for tests, unpacked in a folder: installed, they would take over the machine's own
# names. Unpacked once, then kept; prints the folder.
set -eu
root=${WEAVETS_RESOLVER:-/var/tmp/weavets-lab/resolver}
packages='systemd-resolved libsystemd-shared libnss-mdns avahi-daemon libavahi-core7 libavahi-common3 libdaemon0'
mkdir -p "$(dirname "$root")"
# One at a time: tests of several files may ask for it.
exec 9>"$root.lock"
flock 9
if [ ! -d "$root" ]; then
  building=$root.building
  rm -rf "$building"
  mkdir -p "$building/debs"
  cd "$building/debs"
  # shellcheck disable=SC2086
  apt-get download $packages >"$root.log" 2>&1 ||
    { apt-get update >>"$root.log" 2>&1 && apt-get download $packages >>"$root.log" 2>&1; } ||
    { cat "$root.log" >&2; exit 1; }
  for deb in *.deb; do dpkg -x "$deb" "$building"; done
  cd /
  rm -rf "$building/debs"
  mkdir "$building/run"
  # Each finds its own libraries, which are of its own version.
  for program in resolvectl systemd-resolved avahi-daemon; do
    file=$(cd "$building" && find . -name "$program" -type f -perm -u+x | head -n 1)
    lib=$(cd "$building" && find . -name 'libsystemd-shared-*.so' | head -n 1)
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/usr/lib/%s:%s exec %s "$@"\n' \
      "$root" "$(uname -m)-linux-gnu" "$root/$(dirname "$lib")" "$root/$file" >"$building/run/$program"
    chmod +x "$building/run/$program"
  done
  # Whole or not there at all.
  mv "$building" "$root"
fi
echo "$root"
