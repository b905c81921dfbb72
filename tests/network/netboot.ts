/** Run by netboot.slow.test.ts in namespaces of its own: dnsmasq serves what a machine on a macvtap bridge starts from. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { test } from 'node:test';
import { viv } from '../viv.js';

const ip = (...args: string[]): void =>
  void execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });

test('dnsmasq gives address and files', async () => {
  const folder = process.env['XDG_RUNTIME_DIR']!;
  ip('link', 'add', 'server', 'type', 'veth', 'peer', 'name', 'wire');
  ip('link', 'add', 'link', 'wire', 'name', 'viv0', 'type', 'macvtap', 'mode', 'bridge');
  for (const name of ['server', 'wire', 'viv0']) ip('link', 'set', name, 'up', 'allmulticast', 'on');
  ip('addr', 'add', '192.168.77.1/24', 'dev', 'server');
  const server = spawn(
    '/usr/sbin/dnsmasq',
    [
      ...['--keep-in-foreground', '--port=0', '--conf-file=/dev/null', '--leasefile-ro', '--user=root'],
      ...['--interface=server', '--dhcp-range=192.168.77.50,192.168.77.90', '--dhcp-boot=pxelinux.0'],
      ...['--enable-tftp', `--tftp-root=${folder}`, '--log-facility=-'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  try {
    const { output, errors } = await viv(
      'run',
      ...['--memory', '1024', '--timeout', '75', '--net', 'bridged,device=viv0'],
    );
    assert.match(output, /Choose language|Select a language/, output.slice(-2000) + errors);
  } finally {
    server.kill();
  }
});
