import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inPrefix, ipText, parseIp, parsePrefix, plainIp } from './ip-address.js';

test('addresses are read and written as RFC 5952 wants them', () => {
  for (const [written, shown] of [
    ['10.0.2.15', '10.0.2.15'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:10.1.2.3', '::ffff:a01:203'],
    ['1::', '1::'],
  ] as const)
    assert.equal(ipText(parseIp(written)!), shown);
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1:2:3:4:5:6:7',
    '1::2::3',
    ':1:2:3:4:5:6:7:8',
    '12345::',
    '1:2:3:4:5:6:7:8::',
    'x::',
  ])
    assert.equal(parseIp(wrong), null, wrong);
  assert.equal(ipText(plainIp(parseIp('::ffff:10.1.2.3')!)), '10.1.2.3');
});

test('prefixes hold what they say', () => {
  const inside = (address: string, prefix: string): boolean =>
    inPrefix(parseIp(address)!, parsePrefix(prefix)!);
  assert.ok(inside('10.255.0.1', '10.0.0.0/8'));
  assert.ok(!inside('11.0.0.1', '10.0.0.0/8'));
  assert.ok(inside('192.168.7.9', '192.168.6.0/23'));
  assert.ok(!inside('192.168.8.9', '192.168.6.0/23'));
  assert.ok(inside('febf::1', 'fe80::/10'));
  assert.ok(!inside('fec0::1', 'fe80::/10'));
  assert.ok(inside('1.2.3.4', '0.0.0.0/0'));
  assert.ok(!inside('1.2.3.4', '::/0'));
  assert.equal(parsePrefix('10.0.0.0/33'), null);
  assert.equal(parsePrefix('10.0.0.0/8/8'), null);
});
