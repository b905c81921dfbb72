import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Running, viv, withFolder } from './viv.js';

const NAME = `hot-plug-test-${process.pid}`;
const BYTES = 2 ** 20;
/** Where the guest sees a disk on each bus. */
const DISKS = { virtio: 'vdb', nvme: 'nvme0n1', ahci: 'sda', scsi: 'sdb' };

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
    const control = async (status: number, action: string, ...args: string[]): Promise<string> => {
      const ended = await viv('control', action, NAME, ...args);
      assert.equal(ended.status, status, `${action} ${args.join(' ')}: ${ended.errors}`);
      return ended.output + ended.errors;
    };
    await guest.says('ready');
    assert.match(await control(1, 'attach', `${file('ahci')},bus=ide`), /bus=ide: its disks are there/);
    assert.match(await control(1, 'attach', file('nowhere')), /there is no such file/);
    assert.match(await control(1, 'detach', 'disk7'), /there is no disk "disk7"; it has disk\n/);
    let number = 1;
    for (const [bus, device] of Object.entries(DISKS)) {
      const setting = bus === 'virtio' ? '' : `,bus=${bus}`;
      assert.match(await control(0, 'attach', file(bus) + setting), new RegExp(`it is disk${++number}\n`));
      await guest.says(`saw ${device}`);
      assert.ok(guest.output.includes(bus), `${bus}: its content`);
    }
    assert.match(await control(1, 'attach', file('nvme')), /is in use/);
    assert.match(await control(0, 'status'), /disk5: hard disk 5 \(scsi\.img\)/);
    for (let n = 2; n <= number; n++) await control(0, 'detach', `disk${n}`);
    await guest.says('gone');
    assert.doesNotMatch(await control(0, 'status'), /disk2/);
    assert.equal(await guest.ended, 0);
    for (const bus of Object.keys(DISKS))
      assert.equal(readFileSync(file(bus)).toString('latin1', 512, 519), 'written', bus);
  }),
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
