#!/bin/sh
# Makes the image `weavets` as the Dockerfile would, but from this machine's own files: no registry is needed.
set -eu
repository=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/weavets/bin" "$dir/usr/local/bin" "$dir/tmp" "$dir/etc" "$dir/root"
cp -a "$repository/package.json" "$repository/dist" "$repository/node_modules" "$dir/weavets"
cp "$repository/bin/weavets" "$dir/weavets/bin"
ln -s /weavets/bin/weavets "$dir/usr/local/bin/weavets"
ln -s usr/bin "$dir/bin"; ln -s usr/sbin "$dir/sbin"; ln -s usr/lib "$dir/lib"; ln -s usr/lib64 "$dir/lib64"
mkdir -p "$dir/usr/bin" "$dir/usr/sbin" "$dir/usr/lib64"
put() { # put FILE: with the libraries it needs, links followed
  for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
    target=$dir$(readlink -f "$(dirname "$file")")/$(basename "$file")
    [ -e "$target" ] && continue
    mkdir -p "$(dirname "$target")"
    cp -L "$file" "$target"
  done
}
for tool in node env sh ip nsenter mount sysctl iptables-save iptables-restore iptables; do put "$(command -v "$tool")"; done
for module in $(find /usr/lib/*/xtables -name '*.so'); do put "$module"; done
tar -C "$dir" -c . | docker -H unix:///var/run/docker.sock import \
  -c 'ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin' -c 'ENTRYPOINT ["weavets"]' -c 'CMD ["launch", "--foreground"]' - weavets >/dev/null
