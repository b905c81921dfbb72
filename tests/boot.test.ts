import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debianGuest } from '../dist/manager/guests/debian.js';
import { COMPLAINTS, viv } from './viv.js';

/** Loops, arithmetic, checksums and pipes, with results that are known. */
const SCRIPT = `
i=0; sum=0
while [ $i -lt 500 ]; do sum=$((sum + i * i)); i=$((i + 1)); done
echo "sum of squares $sum"
printf 'The quick brown fox jumps over the lazy dog' | md5sum
dd if=/dev/zero of=/tmp/zero bs=64k count=32 2>/dev/null
md5sum < /tmp/zero
gzip -c /tmp/zero | gunzip | md5sum
awk 'BEGIN { x = 1; for (i = 0; i < 9; i++) x = (x + 2 / x) / 2; printf "%.9f\\n", x }'
seq 1 200 | sort -rn | head -n 1
uname -m
dmesg > /tmp/dmesg; wc -l < /tmp/dmesg | sed 's/^ */kernel lines /'
`;

const ZERO_MD5 = 'b2d1236c286a3c0704224fe4105eca49';

async function boots(arch: 'amd64' | 'i386', flavour: 'generic' | '686', machine: string): Promise<void> {
  const guest = await debianGuest({ arch, flavour, script: SCRIPT });
  const run = await viv(
    'run',
    '--kernel',
    guest.kernel,
    '--initrd',
    guest.initrd,
    '--append',
    guest.append,
    '--memory',
    '256M',
    '--timeout',
    '300',
  );
  const said = `${run.output}\n${run.errors}`;
  assert.equal(run.status, 0, said);
  assert.doesNotMatch(run.output, COMPLAINTS, said);
  for (const expected of [
    'sum of squares 41541750',
    '9e107d9d372bb6826bd81d3542a419d6',
    '1.414213562',
    '\n200',
    `\n${machine}`,
  ])
    assert.ok(run.output.replaceAll('\r', '').includes(expected), `no "${expected}" in:\n${said}`);
  const checksums = run.output.split(ZERO_MD5).length - 1;
  assert.equal(checksums, 2, said);
}

test('Debian amd64 boots, runs a script with known results, and powers off', () =>
  boots('amd64', 'generic', 'x86_64'));

test('Debian i386 boots, runs a script with known results, and powers off', () =>
  boots('i386', '686', 'i686'));
