#!/bin/sh
# Builds the machine that can be rebooted and switched off: Debian with systemd, sshd, sudo and a kernel for clouds.
# usage: vm_image.sh DIRECTORY     (as root; an empty directory, which then holds disk, vmlinuz, initrd and both keys)
set -eu
out=$1
root=$out/root

debootstrap --variant=minbase \
    --include=systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,openssh-server,sudo,procps,curl,linux-image-cloud-amd64 \
    bookworm "$root"

# Without a boot loader: the emulator loads the kernel itself, also when the machine reboots.
printf 'MODULES=list\nCOMPRESS=lz4\n' > "$root/etc/initramfs-tools/conf.d/small"
printf 'virtio_pci\nvirtio_blk\n' > "$root/etc/initramfs-tools/modules"
command -v lz4 > /dev/null || sed -i 's/COMPRESS=.*/COMPRESS=gzip/' "$root/etc/initramfs-tools/conf.d/small"
chroot "$root" update-initramfs -u
cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
cp "$root"/boot/initrd.img-* "$out/initrd"

printf 'vm\n' > "$root/etc/hostname"
printf '127.0.0.1 localhost vm\n' > "$root/etc/hosts"
printf '/dev/vda / ext4 errors=remount-ro 0 1\n' > "$root/etc/fstab"
printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\n' > "$root/etc/systemd/network/eth0.network"
chroot "$root" systemctl enable systemd-networkd ssh
# What works by the clock would come in between; the network is there as soon as it is asked for.
chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer systemd-networkd-wait-online.service systemd-timesyncd.service
# Nothing is fetched from outside.
: > "$root/etc/apt/sources.list"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

ssh-keygen -q -t ed25519 -N '' -C lab -f "$out/id_ed25519"
chroot "$root" useradd --create-home --shell /bin/bash ops
printf 'ops ALL=(ALL) NOPASSWD: ALL\n' > "$root/etc/sudoers.d/ops"
for home in root home/ops; do
    install -d -m 700 "$root/$home/.ssh"
    install -m 600 "$out/id_ed25519.pub" "$root/$home/.ssh/authorized_keys"
done
chroot "$root" chown -R ops: /home/ops/.ssh
cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$out/host_ed25519.pub"

truncate -s 3G "$out/disk"
mkfs.ext4 -q -L root -d "$root" "$out/disk"
rm -rf "$root"
