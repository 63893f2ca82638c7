#!/bin/sh
# PID 1 of a laboratory host that systemd runs. Gives it a root of its own over the machine's, or over that of another
# Debian, and becomes systemd, which starts what systemd itself needs, and docker; none of what else is installed on the
# machine. What is written over another Debian's is on disk, and found again after a reboot.
# usage, in a control group of its own: host-systemd.sh DIR NAME ADDRESS REPOSITORY [ROOT]
set -eu
dir=$1 name=$2 address=$3 repository=$4 lower=${5:-/}
first=$([ -e "$dir/root/upper" ] || echo yes)
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p /var/tmp/weavets-lab/roots "$dir/root" "$dir/lib-docker" "$dir/lib-weave" "$dir/log/journal"
# Below the machine's root itself it can't be.
[ "$lower" != / ] || mount -t tmpfs -o mode=755 tmpfs "$dir/root"
root=$dir/root/merged
mkdir -p "$root" "$dir/root/upper" "$dir/root/work"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/root/upper,workdir=$dir/root/work" "$root"

mount -t proc proc "$root/proc"
# These are the whole machine's, and systemd would raise some of them.
for setting in sys/fs sys/kernel/core_pattern sys/kernel/pid_max sysrq-trigger; do
  [ -e "$root/proc/$setting" ] || continue
  mount --bind "$root/proc/$setting" "$root/proc/$setting"
  mount -o remount,bind,ro "$root/proc/$setting"
done
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty net/tun; do
  : >"$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/var/lib/docker" "$root/var/lib/weave" "$root$repository" "$root/var/tmp/weavets-lab/roots"
mount --bind "$dir/lib-docker" "$root/var/lib/docker"
mount --bind "$dir/lib-weave" "$root/var/lib/weave"
mount --bind "$dir/log" "$root/var/log"
mount --bind "$repository" "$root$repository"
# Debians with other engines.
mount --bind /var/tmp/weavets-lab/roots "$root/var/tmp/weavets-lab/roots"

if [ -n "$first" ]; then
  etc=$root/etc
  units=$etc/systemd/system
  # Of the machine's services none is enabled here, those with scripts of their own included.
  rm -rf "$units" "$etc"/rc?.d/S*
  mkdir -p "$units/multi-user.target.wants" "$units/sockets.target.wants"
  ln -s /lib/systemd/system/multi-user.target "$units/default.target"
  # Where there is an engine.
  ln -s /lib/systemd/system/docker.socket "$units/sockets.target.wants/docker.socket"
  # What would change the machine, or finds nothing here.
  for unit in systemd-sysctl systemd-modules-load systemd-random-seed systemd-binfmt systemd-udevd systemd-udev-trigger \
    systemd-timesyncd systemd-logind systemd-update-utmp systemd-remount-fs kmod-static-nodes getty@tty1 console-getty; do
    ln -s /dev/null "$units/$unit.service"
  done
  for unit in proc-sys-fs-binfmt_misc.automount dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount getty.target systemd-udevd-control.socket \
    systemd-udevd-kernel.socket; do
    ln -s /dev/null "$units/$unit"
  done
  : >"$etc/fstab"
  echo "$name" >"$etc/hostname"
  printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >"$etc/hosts"
  rm -f "$etc/resolv.conf" "$etc/machine-id"
  printf 'nameserver 10.250.0.254\n' >"$etc/resolv.conf"
  printf '%s\n' "$name" | md5sum | cut -c1-32 >"$etc/machine-id"
fi
hostname "$name"
ip link set lo up
: >"$dir/ready"
mkdir "$root/run/former"
cd "$root"
pivot_root . run/former
umount -l /run/former
rmdir /run/former
exec env -i container=weavets-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --show-status=no --log-target=journal
