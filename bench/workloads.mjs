// What is measured. Each suite has its workloads by name: what the guest's shell runs, and for the programs suite the
// group that it counts in. Each prints something that depends on its work being done.

/** The demo guest's busybox, nothing else: boots fast, so that the boot is measured with it. */
export const BUSYBOX = {
  'shell loop, 200,000 steps': { command: 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo $i' },
  'md5sum of 64 MiB': { command: 'dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum' },
  'gzip of 64 MiB': { command: 'dd if=/dev/zero bs=1M count=64 2>/dev/null | gzip -c > /dev/null' },
  'awk loop, 1,000,000 steps': {
    command: "awk 'BEGIN { x = 0.5; for (i = 0; i < 1000000; i++) x = 3.7 * x * (1 - x); print x }'",
  },
  'sort of 100,000 lines': { command: 'seq 1 100000 | sort -r | tail -n 1' },
  'fork and exec, 500 times': {
    command: 'i=0; while [ $i -lt 500 ]; do /bin/busybox true; i=$((i + 1)); done',
  },
};

const compute = (command) => ({ command, group: 'compute' });
const system = (command) => ({ command, group: 'system' });

/**
 * Programs of Debian's packages (by path where busybox's shell would take its own), and small ones of ours (bench/programs) that Debian's compiler made. /bench holds
 * them in the guest.
 */
export const PROGRAMS = {
  'integer mix': compute('/bench/mix'),
  'records and strings': compute('/bench/records'),
  'sha256sum of 256 MiB': compute('/usr/bin/head -c 256M /dev/zero | /usr/bin/sha256sum'),
  'md5sum of 256 MiB': compute('/usr/bin/head -c 256M /dev/zero | /usr/bin/md5sum'),
  'gzip of 8 MiB of code': compute('/bin/gzip -c /bench/data | wc -c'),
  'xz of 2 MiB of code': compute('/usr/bin/head -c 2M /bench/data | /usr/bin/xz -c -T1 | wc -c'),
  awk: compute("awk 'BEGIN { x = 0.5; for (i = 0; i < 500000; i++) x = 3.7 * x * (1 - x); print x }'"),
  perl: compute('perl /bench/text.pl'),
  python: compute('python3.11 -S /bench/objects.py'),
  sqlite: compute('sqlite3 :memory: < /bench/queries.sql'),
  'n-body, SSE2': compute('/bench/nbody'),
  'matrices, SSE2': compute('/bench/matrix'),
  'n-body, x87': compute('/bench/nbody-x87'),
  'memcpy and memset': compute('/bench/memory'),
  'pointer chase': compute('/bench/chase'),
  sort: compute('/bench/sort'),
  'recursive calls': compute('/bench/calls'),
  'byte-code loop': compute('/bench/bytecode'),
  'gcc -O2': system(
    'cd /bench/source && for f in *.c; do gcc-12 -O2 -S -o - $f; done | /usr/bin/md5sum; cd /root',
  ),
  'system calls': system('/bench/syscalls'),
  'context switches': system('/bench/switches'),
  'fork and exec': system('/bench/spawn'),
  'page faults': system('/bench/faults'),
};
