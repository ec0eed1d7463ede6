#!/bin/sh
# The first process of a test host's own process tree. It adopts and reaps what others leave behind, as init does, and
# ends with its stdin: when the tests die, so does the host with everything that runs on it.
set -eu
folder=$1
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
for file in passwd shadow group; do mount --bind "$folder/etc/$file" "/etc/$file"; done
mount --bind "$folder/etc/pam" /etc/pam.d/sshd
for masked in $(cat "$folder/etc/masked"); do mount --bind /dev/null "$masked"; done
if [ -s "$folder/etc/sh" ]; then mount --bind "$(cat "$folder/etc/sh")" /bin/sh; fi
exec 3<&0
trap 'exit 0' TERM
(cat <&3 >/dev/null; kill -TERM 1) &
echo ready
while :; do
  sleep 3600 &
  wait $!
done
