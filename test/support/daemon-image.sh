#!/bin/sh
# Makes the images `weavets` and `weavets-etcd` as the Dockerfile would, but from this machine's own files: no registry
# is needed. wireguard-go is for kernels without WireGuard, as the laboratory's.
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
put() { # put FILE: with the libraries it needs, links followed
  for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
    target=$dir$(readlink -f "$(dirname "$file")")/$(basename "$file")
    [ -e "$target" ] && continue
    mkdir -p "$(dirname "$target")"
    cp -L "$file" "$target"
  done
}
import() { # import IMAGE CHANGE...: of what is in $dir
  image=$1
  shift
  for change in "$@"; do
    set -- "$@" -c "$change"
    shift
  done
  tar -C "$dir" -c . | docker -H unix:///var/run/docker.sock import "$@" - "$image" >/dev/null
}
usrMerged() {
  mkdir -p "$dir/usr/bin" "$dir/usr/sbin" "$dir/usr/lib" "$dir/usr/lib64"
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$dir/$folder"; done
}

dir=$work/weavets
usrMerged
mkdir -p "$dir/weavets/bin" "$dir/usr/local/bin" "$dir/tmp" "$dir/etc" "$dir/root"
cp -a package.json dist "$dir/weavets"
npm ls --omit=dev --all --parseable | sed -n "s#^$PWD/\(node_modules/.*\)#\1#p" | while read -r package; do
  case $package in */node_modules/*) continue ;; esac
  cp -a --parents "$package" "$dir/weavets"
done
cp bin/weavets "$dir/weavets/bin"
ln -s /weavets/bin/weavets "$dir/usr/local/bin/weavets"
for tool in node env sh ip bridge nsenter mount sysctl iptables-save iptables-restore iptables wg wireguard-go; do put "$(command -v "$tool")"; done
for module in $(find /usr/lib/*/xtables -name '*.so'); do put "$module"; done
import weavets 'ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin' 'ENTRYPOINT ["weavets"]' 'CMD ["launch", "--foreground"]'

dir=$work/etcd
usrMerged
mkdir -p "$dir/tmp" "$dir/etc"
# As Debian's package has it: nobody else, not even a root without DAC_OVERRIDE, may look into it.
install -d -o 100 -g 100 -m 700 "$dir/var/lib/etcd"
put "$(command -v etcd)"
import weavets-etcd 'ENV PATH=/usr/bin' 'USER 100:100' 'ENTRYPOINT ["etcd"]'
