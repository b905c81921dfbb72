import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { control, Running, viv, withFolder } from './viv.js';

const NAME = `hot-plug-test-${process.pid}`;
const BYTES = 2 ** 20;
/** Where the guest sees a disk on each bus. */
const DISKS = { virtio: 'vdb', nvme: 'nvme0n1', ahci: 'sda', scsi: 'sdb' };

type Act = (status: number, action: string, ...args: string[]) => Promise<string>;

/** Has `viv control` do something with a machine, and end with this status; gives all that it printed. */
const actsOn =
  (name: string): Act =>
  async (status, action, ...args) => {
    const ended = await viv('control', action, name, ...args);
    assert.equal(ended.status, status, `${action} ${args.join(' ')}: ${ended.errors}`);
    return ended.output + ended.errors;
  };

test('disks come and go while a machine runs', { timeout: 150_000 }, () =>
  withFolder(async (folder) => {
    const file = (name: string): string => join(folder, `${name}.img`);
    for (const name of ['first', ...Object.keys(DISKS)]) writeFileSync(file(name), Buffer.alloc(BYTES, name));
    const steps = Object.values(DISKS).map(
      (device) =>
        `until [ -b /dev/${device} ]; do load pci; sleep 0.2; done; head -c 12 /dev/${device}; echo written | dd of=/dev/${device} bs=512 seek=1 conv=sync 2>/dev/null; sync; echo saw ${device}`,
    );
    steps.push(
      `while ls /dev | grep -qE '${Object.values(DISKS).join('|')}'; do sleep 0.2; done; echo gone; sleep 3`,
    );
    // Drivers of what comes.
    const load = `load() { cat /sys/bus/*/devices/*/modalias | sort -u | xargs modprobe -a -q 2>/dev/null; modprobe -q sd_mod; }`;
    const guest = new Running(
      ...['debian', '--name', NAME, '--disk', `${file('first')},bus=virtio`],
      ...['--append', `quiet viv.run="${load}; echo ready; ${steps.join('; ')}"`],
    );
    const act = actsOn(NAME);
    await guest.says('ready');
    assert.match(await act(1, 'attach', `${file('ahci')},bus=ide`), /bus=ide: its disks are there/);
    assert.match(await act(1, 'attach', file('nowhere')), /there is no such file/);
    assert.match(await act(1, 'detach', 'disk7'), /there is no disk "disk7"; it has disk\n/);
    let number = 1;
    for (const [bus, device] of Object.entries(DISKS)) {
      const setting = bus === 'virtio' ? '' : `,bus=${bus}`;
      assert.match(await act(0, 'attach', file(bus) + setting), new RegExp(`it is disk${++number}\n`));
      await guest.says(`saw ${device}`);
      assert.ok(guest.output.includes(bus), `${bus}: its content`);
    }
    assert.match(await act(1, 'attach', file('nvme')), /is in use/);
    assert.match(await act(0, 'status'), /disk5: hard disk 5 \(scsi\.img\)/);
    for (let n = 2; n <= number; n++) await act(0, 'detach', `disk${n}`);
    await guest.says('gone');
    assert.doesNotMatch(await act(0, 'status'), /disk2/);
    assert.equal(await guest.ended, 0);
    for (const bus of Object.keys(DISKS))
      assert.equal(readFileSync(file(bus)).toString('latin1', 512, 519), 'written', bus);
  }),
);

const CARDS = ['virtio', 'e1000', 'e1000e', 'pcnet', 'rtl8139', 'ne2k'];

test('network cards come and go while a machine runs', { timeout: 150_000 }, async () => {
  const name = `${NAME}-cards`;
  // Each is eth1 while it is there, gets an address by its own NAT, and asks that for an answer.
  const wait = 'until [ -d /sys/class/net/eth1 ]; do load; sleep 0.1; done; ifconfig eth1 up';
  const lease = 'udhcpc -i eth1 -s /etc/udhcpc -q -n -t 20 -T 1 >/dev/null 2>&1';
  const leave = 'while [ -d /sys/class/net/eth1 ]; do sleep 0.1; done';
  const steps = CARDS.map(
    (card) =>
      `${wait}; ${lease}; ping -c 1 -W 5 -I eth1 10.0.2.2 >/dev/null && echo by ${card}; ${leave}; echo without ${card}`,
  );
  const load = 'load() { cat /sys/bus/*/devices/*/modalias | sort -u | xargs modprobe -a -q 2>/dev/null; }';
  const last = 'ping -c 1 -W 5 -I eth0 10.0.2.2 >/dev/null && echo by the first; sleep 3';
  const guest = new Running(
    ...['debian', '--name', name, '--net', 'nat'],
    ...['--append', `quiet viv.run="${load}; echo ready; ${steps.join('; ')}; ${last}"`],
  );
  const act = actsOn(name);
  await guest.says('ready');
  assert.match(await act(1, 'add-card', 'nat,card=ne2k-isa'), /cards on ISA are there from the start/);
  assert.match(await act(1, 'add-card', 'nat,card=best'), /card=best/);
  assert.match(await act(1, 'remove-card', '2'), /there is no card "2"; the machine has 1\n/);
  for (const card of CARDS) {
    assert.match(await act(0, 'add-card', `nat,card=${card}`), /it is card 2\n/);
    await guest.says(`by ${card}`);
    assert.match(await act(0, 'status'), new RegExp(`card 2: ${card} .*, nat,card=${card}, sent [1-9]`));
    await act(0, 'remove-card', '2');
    await guest.says(`without ${card}`);
    while (/card 2/.test(await act(0, 'status'))) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await guest.says('by the first');
  assert.equal(await guest.ended, 0);
});

test(
  'a card that is taken out by force is gone at once, and its number is free',
  { timeout: 60_000 },
  async () => {
    const name = `${NAME}-force`;
    // No system runs that could give it up.
    const machine = new Running(
      '--name',
      name,
      '--cdrom',
      'empty',
      '--net',
      'nat,card=e1000',
      '--net',
      'none',
    );
    let cards = '';
    while (!cards.includes('card 2')) cards = (await viv('control', 'status', name)).output;
    await control('remove-card', name, '1');
    await control('remove-card', name, '1', '--force');
    assert.doesNotMatch(await control('status', name), /card 1/);
    assert.equal(await control('add-card', name, 'nat,card=e1000'), 'it is card 1\n');
    assert.match(await control('status', name), /card 1: e1000 .*\ncard 2: virtio/);
    // What was asked about the first card is not done to that which has its slot.
    await control('reset', name);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.match(await control('status', name), /card 1: e1000 .*\ncard 2: virtio/);
    await machine.stop();
  },
);

test('a machine starts from a disk that was attached, once it is reset', { timeout: 60_000 }, () =>
  withFolder(async (folder) => {
    const name = `${NAME}-boot`;
    const disk = join(folder, 'boot.img');
    // mov dx, 3F8h; mov al, "B"; out dx, al; hlt; jmp
    const bytes = Buffer.alloc(BYTES);
    bytes.set([0xba, 0xf8, 0x03, 0xb0, 0x42, 0xee, 0xf4, 0xeb, 0xfd]);
    bytes.set([0x55, 0xaa], 510);
    writeFileSync(disk, bytes);
    const machine = new Running('--name', name, '--cdrom', 'empty');
    for (;;) {
      const { status } = await viv('control', 'attach', name, disk);
      if (status === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.equal((await viv('control', 'reset', name)).status, 0);
    await machine.says('B');
    // No system is there that could give it up, but the next start does.
    assert.equal((await viv('control', 'detach', name, 'disk')).status, 0);
    assert.match((await viv('control', 'status', name)).output, /^disk:/m);
    assert.equal((await viv('control', 'reset', name)).status, 0);
    for (;;) {
      const { output } = await viv('control', 'status', name);
      if (!/^disk:/m.test(output)) break;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.equal(machine.output, 'B');
    assert.equal((await viv('control', 'poweroff', name)).status, 0);
    assert.equal(await machine.ended, 4);
  }),
);
