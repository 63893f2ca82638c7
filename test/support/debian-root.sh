#!/bin/sh
# Runs a command of another Debian on a laboratory host: its programs, with the host's /run, /tmp, /var/lib.
# usage, in a mount namespace of its own: debian-root.sh ROOT COMMAND [ARGUMENT...]
set -eu
root=$1
shift
# What is written into the root is gone with the namespace: the root stays as it was built.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
mkdir -p var/lib/docker var/lib/weave former
for shared in proc sys dev run tmp var/log var/lib/docker var/lib/weave; do
  mount --rbind "/$shared" "$shared"
done
cp /etc/resolv.conf /etc/hosts etc/
# In a mere chroot dockerd could not load images.
pivot_root . former
umount -l /former
exec "$@"
