#!/bin/sh
# PID 1 of a laboratory host: gives it its own /proc, /sys, /run, /etc, /var/lib and name, then reaps.
# usage: host-init.sh DIR NAME ADDRESS
set -eu
dir=$1 name=$2 address=$3
mount --make-rprivate /
mount -t proc proc /proc
# A sysfs of this network namespace, with the machine's cgroups put back into it.
mkdir -p "$dir/cgroup" "$dir/lib-docker" "$dir/lib-weave" "$dir/log" "$dir/etc-upper" "$dir/etc-work" "$dir/tmp"
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /var/lib/docker /var/lib/weave
mount --bind "$dir/lib-docker" /var/lib/docker
mount --bind "$dir/lib-weave" /var/lib/weave
mount --bind "$dir/log" /var/log
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$dir/etc-upper,workdir=$dir/etc-work" /etc
hostname "$name"
printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" > /etc/hosts
printf 'nameserver 10.250.0.254\n' > /etc/resolv.conf
rm -f /etc/machine-id
printf '%s\n' "$name" | md5sum | cut -c1-32 > /etc/machine-id
ip link set lo up
: > "$dir/ready"
while :; do sleep 3600 & wait $! || true; done
