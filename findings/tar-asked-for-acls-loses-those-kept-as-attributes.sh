#!/bin/sh
# Guess:   an archive made with `--xattrs --xattrs-include='*'` gives ACLs back whether or not `--acls` is said when it is unpacked:
#          the more is asked for, the more comes back.
# Seen:    the ACLs are in the archive, as the attributes system.posix_acl_access and _default, and come back with
#          `--xattrs --xattrs-include='*'`. With `--acls` as well they are lost, rc 0 and no word: tar takes the archive, which has no
#          SCHILY.acl, for one of files without ACLs, and sets that after the attributes. Made with `--acls` too, both ways give them back.
# Version: GNU tar 1.34 (Debian 12).
# Matters: leaving `--acls` out makes an archive of many small files a third cheaper and seems to lose nothing. Whoever restores it with
#          the usual options opens or closes every file that had an ACL. So archives are made with `--acls`.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq tar=1.34+dfsg-1.2+deb12u1 acl=2.3.1-3 > /dev/null 2>&1
for package in *.deb; do dpkg-deb -x "$package" root; done
PATH=$work/root/bin:$work/root/usr/bin:$PATH
tar --version | sed -n 1p

mkdir files
touch files/one
setfacl -m u:1:rw,u:2:r files/one
setfacl -d -m u:1:rx files
getfacl -n files files/one > was
changed=''
for made in '--xattrs' '--acls --xattrs'; do
    for unpacked in '--xattrs' '--acls --xattrs'; do
        # shellcheck disable=SC2086 # two options
        tar -c $made --xattrs-include='*' -f archive files
        rm -rf there && mkdir there
        # shellcheck disable=SC2086
        tar -xp $unpacked --xattrs-include='*' -f archive -C there
        (cd there && getfacl -n files files/one) > now
        came=lost
        ! cmp -s was now || came=back
        echo "made with $made, unpacked with $unpacked: the ACLs are $came"
        case $made:$unpacked:$came in
            '--xattrs:--acls --xattrs:lost') ;;
            '--xattrs:--acls --xattrs:'*) changed=yes ;;
            *:back) ;;
            *) changed=yes ;;
        esac
    done
done
[ -z "$changed" ] || {
    echo "CHANGED: it is not as the header says any more"
    exit 1
}
