import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { control as succeed, Running, viv, withFolder } from './viv.js';

const NAME = `control-test-${process.pid}`;

const control = (action: string, ...args: string[]): Promise<string> => succeed(action, NAME, ...args);
async function refused(what: RegExp, action: string, ...args: string[]): Promise<void> {
  const { status, errors } = await viv('control', action, NAME, ...args);
  assert.equal(status, 1);
  assert.match(errors, what);
}

test('discs, floppies and cables change while a machine runs', { timeout: 150_000 }, () =>
  withFolder(async (folder) => {
    const disc = join(folder, 'disc');
    mkdirSync(disc);
    writeFileSync(join(disc, 'hello'), 'from the disc\n');
    const floppy = join(folder, 'floppy.img');
    writeFileSync(floppy, Buffer.alloc(1440 * 1024, 'floppy'));
    const steps = [
      'C=/sys/class/net/eth0/carrier',
      'mkdir -p /mnt; until mount -t iso9660 -r /dev/sr0 /mnt 2>/dev/null; do sleep 0.3; done; cat /mnt/hello; echo mounted',
      'until grep -q 0 $C; do sleep 0.2; done; umount /mnt; echo pulled',
      'until grep -q 1 $C; do sleep 0.2; done; echo plugged',
      'until mount -t iso9660 -r /dev/sr0 /mnt 2>/dev/null && ls /mnt | grep second; do umount /mnt 2>/dev/null; sleep 0.3; done',
      'modprobe floppy; until dd if=/dev/fd0 bs=6 count=1 2>/dev/null | grep floppy; do sleep 0.3; done',
      'until udhcpc -n -q -t 2 -i eth0 2>&1 | grep 10.77.0; do sleep 0.3; done; echo moved',
      'until grep -q 0 $C; do sleep 0.2; done',
    ];
    const guest = new Running(
      ...['debian', '--name', NAME, '--cdrom', 'empty', '--floppy', 'empty'],
      ...['--append', `quiet viv.run="killall udhcpc; ifconfig eth0 up; echo ready; ${steps.join('; ')}"`],
    );
    await guest.says('ready');
    assert.match(
      await control('status'),
      /debian: 1 CPU.*running\ncdrom: .*\nfloppy: .*\ncard 1: virtio .*, nat/,
    );
    await refused(/no such file/, 'insert', 'cdrom', join(folder, 'nothing'));
    await refused(/there is no drive "cdrom2".*cdrom, floppy/, 'insert', 'cdrom2', disc);
    await refused(/there is no card "2"/, 'cable', '2', 'in');
    await control('insert', 'cdrom', disc);
    await guest.says('mounted');
    assert.match(guest.output, /from the disc/);
    writeFileSync(join(disc, 'second'), '');
    await refused(/locked.*--force/, 'insert', 'cdrom', disc);
    await control('cable', '1', 'out');
    await guest.says('pulled');
    assert.match(await control('status'), /cable out/);
    await control('eject', 'cdrom');
    assert.match(await control('status'), /cdrom: cdrom drive/);
    await control('insert', 'cdrom', disc);
    await control('cable', '1', 'in');
    await guest.says('plugged');
    await guest.says('second');
    await control('eject', 'cdrom', '--force');
    await control('insert', 'floppy', floppy);
    await guest.says('floppy');

    const capture = join(folder, 'card.pcap');
    await refused(/--net antenna/, 'network', '1', 'antenna');
    await control('network', '1', `nat,subnet=10.77.0.0/24,capture=${capture}`);
    await guest.says('moved');
    assert.ok(readFileSync(capture).includes('udhcp'), 'the capture has the DHCP request');
    assert.match(await control('status'), /subnet=10.77/);

    await control('screenshot', join(folder, 'screen.png'));
    assert.equal(readFileSync(join(folder, 'screen.png')).toString('latin1', 1, 4), 'PNG');
    await control('pause');
    assert.match((await viv('list')).output, new RegExp(`^${NAME}: debian.*paused$`, 'm'));
    assert.equal((await viv('run', 'debian', '--name', NAME)).status, 1, 'the name is taken');
    await control('resume');
    await control('cable', '1', 'out');
    assert.equal(await guest.ended, 0);
    await refused(/no machine/, 'status');
  }),
);
