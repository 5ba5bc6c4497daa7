#!/bin/sh
# Builds the machine that can be rebooted and switched off: Debian with systemd, sshd, sudo and a kernel for clouds.
# usage: image.sh DIRECTORY PACKAGES     (as root)
#   DIRECTORY  empty; then it holds disk, vmlinuz, initrd and both keys
#   PACKAGES   exists; keeps what was downloaded, for the next recipe
set -eu
out=$1
packages=$2
root=$out/root

include=systemd-sysv,udev,dbus,dbus-user-session,libpam-systemd,openssh-server,sudo,procps,curl
include=$include,busybox-static,cpio,linux-image-cloud-amd64
debootstrap --variant=minbase --cache-dir="$packages" --include="$include" bookworm "$root"

# Without a boot loader, for the emulator loads the kernel itself, also when the machine reboots; and with an initrd that
# does nothing but what the disk needs: emulated, that of Debian takes longer than all else.
early=$out/early
mkdir -p "$early/dev" "$early/root"
cp "$root/bin/busybox" "$early"
release=$(ls "$root/lib/modules")
for module in virtio_pci virtio_blk virtio_net virtio_rng; do
    chroot "$root" modprobe --set-version "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$root$path" "$early"
    echo "${path##*/}" >> "$early/modules"
done
cat > "$early/init" << 'EOF'
#!/busybox sh
while read -r module; do /busybox insmod "$module"; done < modules
/busybox ip address add 10.0.2.15/24 dev eth0
/busybox ip link set eth0 up
/busybox mount -t devtmpfs dev /dev
/busybox mount -t ext4 /dev/vda /root
exec /busybox switch_root /root /sbin/init
EOF
chmod +x "$early/init"
mv "$early" "$root/early"
chroot "$root" sh -c 'cd early && find . | cpio --quiet -o -H newc' | gzip -1 > "$out/initrd"
rm -r "$root/early"
cp "$root"/boot/vmlinuz-* "$out/vmlinuz"

printf 'vm\n' > "$root/etc/hostname"
printf '127.0.0.1 localhost vm\n' > "$root/etc/hosts"
: > "$root/etc/fstab"
chroot "$root" systemctl enable ssh
# What works by the clock would come in between. There is no hardware to be found, no console to log in at, and nothing
# to be brought over from a boot to the next: each such unit would make every boot longer.
chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer systemd-networkd-wait-online.service \
    systemd-timesyncd.service systemd-networkd.service systemd-network-generator.service \
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    kmod-static-nodes.service modprobe@.service systemd-modules-load.service systemd-remount-fs.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount systemd-binfmt.service \
    getty.target getty@.service serial-getty@.service console-getty.service \
    systemd-firstboot.service systemd-journal-flush.service systemd-machine-id-commit.service systemd-pstore.service \
    systemd-random-seed.service systemd-sysusers.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
# Nothing is fetched from outside.
: > "$root/etc/apt/sources.list"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "${root:?}"/boot/* "${root:?}"/lib/modules/* \
    "$root"/usr/share/doc/* "$root"/usr/share/locale/* "$root"/usr/share/man/*

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
