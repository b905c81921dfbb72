import { gzipSync } from 'node:zlib';
import { CpioArchive } from './cpio.js';

const DIRECTORIES = [
  'bin',
  'sbin',
  'usr',
  'usr/bin',
  'usr/sbin',
  'proc',
  'sys',
  'dev',
  'etc',
  'tmp',
  'root',
  'mnt',
];

/** Process 1 of the demo guest. */
export const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM=vt100
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
hostname vivarium

# Drivers for what is there, where a second initial RAM disk has them; twice for drives, as drivers find more.
if [ -d /lib/modules ]; then
  load() { cat /dev/null $(ls -d /sys/bus/*/devices/*/modalias | grep -E "/bus/($1)/") | sort -u | xargs modprobe -a -q 2>/dev/null; }
  load 'pci|virtio'
  if modprobe -q sd_mod; then
    load 'virtio|acpi|scsi|platform'
    modprobe -a -q sr_mod ext4 isofs vfat 2>/dev/null
    # Disks are found while the system goes on.
    for turn in 1 2 3 4 5 6 7 8 9 10; do
      ls /sys/block | grep -q '^[snv]' && break
      sleep 0.1
    done
  else
    load virtio
  fi
fi
ifconfig lo up
if [ -d /sys/class/net/eth0 ]; then
  echo 127.0.0.1 localhost >/etc/hosts
  for card in /sys/class/net/eth*; do
    ifconfig \${card##*/} up
    udhcpc -i \${card##*/} -s /etc/udhcpc -t 5 -T 1 -b -x hostname:vivarium >/dev/null 2>&1 &
  done
fi
cd /root

# Linux 6.1.192 breaks virtio devices when it ends, and its virtio_net then waits without end for what was being sent.
leave() {
  for card in /sys/class/net/eth*; do [ -d $card ] && ifconfig \${card##*/} down; done
  "$1" -f
}
# busybox's poweroff, halt and reboot ask process 1 by these signals.
trap 'leave poweroff' USR2
trap 'leave halt' USR1
trap 'leave reboot' TERM

console=/dev/console
[ -c /dev/ttyS0 ] && console=/dev/ttyS0
case "$(cat /proc/cmdline)" in *console=tty0*) console=/dev/tty1 ;; esac

# setsid and cttyhack give the shell a controlling terminal, so that Ctrl-C and job control work.
# It runs in the background because process 1 must hear signals at once.
# When a session's leader ends, what its terminal has not sent is lost (tty_vhangup): stty waits until it is.
session() {
  setsid cttyhack sh -c 'sh "$@"; status=$?; stty echo; exit $status' sh "$@" <$console >$console 2>&1 &
  wait $!
}

run=$(sed -n -e 's/.*viv\\.run="\\([^"]*\\)".*/\\1/p' -e t -e 's/.*viv\\.run=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
if [ -e /script ]; then
  session /script
  echo "script: exit status $?" >$console
elif [ -n "$run" ]; then
  session -c "$run"
  echo "viv.run: exit status $?" >$console
else
  echo "
Welcome to Vivarium: $(uname -srm), busybox. Type poweroff to end." >$console
  session
fi
leave poweroff
`;

/** What busybox's DHCP client calls with what it was given. */
const LEASED = `#!/bin/busybox sh
case "$1" in
deconfig) ifconfig $interface 0.0.0.0 ;;
bound | renew)
  ifconfig $interface $ip netmask $subnet
  [ -n "$router" ] && route add default gw $router dev $interface 2>/dev/null
  { [ -n "$search$domain" ] && echo "search \${search:-$domain}"
    for server in $dns; do echo "nameserver $server"; done; } >/etc/resolv.conf ;;
esac
`;

/**
 * A compressed initramfs around a statically linked busybox. With `script`, a shell script, the guest runs that and
 * powers off; with viv.run="COMMAND" on the kernel command line it runs the command; else it is a shell on ttyS0.
 */
export function initramfs(busybox: Uint8Array, script?: string): Buffer {
  const archive = new CpioArchive();
  for (const directory of DIRECTORIES) archive.directory(directory);
  // The kernel opens this for process 1 before devtmpfs is there.
  archive.characterDevice('dev/console', 5, 1);
  archive.file('bin/busybox', busybox, 0o755);
  archive.file('init', Buffer.from(INIT), 0o755);
  archive.file('etc/udhcpc', Buffer.from(LEASED), 0o755);
  if (script !== undefined) archive.file('script', Buffer.from(script), 0o755);
  return gzipSync(archive.finish(), { level: 9 });
}
