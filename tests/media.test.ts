/** Disk images beside QEMU's tool: what is written here reads the same there, and the other way. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createMedium } from '../dist/manager/media/create.js';
import { openFile } from '../dist/manager/media/open-file.js';
import { writeCopy } from '../dist/manager/media/convert.js';
import { openMedium } from '../dist/manager/open-drive.js';
import type { DiskImage } from '../dist/media/disk-image.js';
import { makeDmg } from '../dist/testing/dmg.js';
import { sequence } from '../dist/testing/sequence.js';
import type { Format } from '../dist/media/open-image.js';

const folder = mkdtempSync(join(tmpdir(), 'viv-media-'));
after(() => rmSync(folder, { recursive: true }));

/** QEMU's names of the formats. */
const QEMU: Record<Format, string> = {
  raw: 'raw',
  qcow2: 'qcow2',
  vdi: 'vdi',
  vmdk: 'vmdk',
  vhd: 'vpc',
  vhdx: 'vhdx',
};
const FORMATS = Object.keys(QEMU) as Format[];
const BYTES = 48 * 2 ** 20 + 512 * 7;

const qemuImg = (...args: string[]): string => execFileSync('qemu-img', args, { encoding: 'utf8' });
const open = (path: string, write: boolean): DiskImage =>
  openFile({ option: 'test', path, format: null, write, anywhere: true });

/** How many times the usual steps (VIV_MEDIA_STEPS). */
const TIMES = Number(process.env['VIV_MEDIA_STEPS'] ?? 1);

/** Writes (some of them at once, beside this thread), zeros, discards, flushes and opens again at random, in the image and in `model`. */
async function torture(path: string, model: Uint8Array, usual: number, seed: number): Promise<void> {
  const next = sequence(seed);
  const steps = usual * TIMES;
  let image = open(path, true);
  for (let step = 0; step < steps; step++) {
    const length = 512 * (1 + next(next(4) === 0 ? 512 : 16));
    const position = Math.min(512 * next(model.length / 512), model.length - length);
    const action = next(20);
    if (action < 4) {
      // What is written at once lies apart, often in one cluster.
      const writes: Promise<void>[] = [];
      const count = 1 + next(4);
      for (let n = 0, at = position; n < count && at + length <= model.length; n++, at += length) {
        const bytes = new Uint8Array(length).fill(1 + next(255));
        writes.push(image.writeBeside!(at, bytes));
        model.set(bytes, at);
        if (next(8) === 0) at += 512;
      }
      await Promise.all(writes);
    } else if (action < 14) {
      const bytes = new Uint8Array(length).fill(1 + next(255));
      image.write(position, bytes);
      model.set(bytes, position);
    } else if (action < 17) {
      image.zero(position, length, action === 16);
      model.fill(0, position, position + length);
    } else if (action === 17) image.flush();
    else if (action === 18 && step % 7 === 0) {
      image.close();
      image = open(path, true);
    } else {
      const read = new Uint8Array(length);
      image.read(position, read);
      assert.ok(
        Buffer.from(read).equals(model.subarray(position, position + length)),
        `step ${step}, at ${position}`,
      );
    }
  }
  const whole = new Uint8Array(model.length);
  image.read(0, whole);
  image.close();
  assert.ok(Buffer.from(whole).equals(model), 'all of it');
}

function compareWithQemu(path: string, format: Format, model: Uint8Array, name: string): void {
  const raw = join(folder, `${name}.model`);
  writeFileSync(raw, model);
  if (format !== 'raw' && format !== 'vhd') qemuImg('check', '-f', QEMU[format], path);
  qemuImg('compare', '-f', QEMU[format], '-F', 'raw', path, raw);
  rmSync(raw);
}

for (const format of FORMATS) {
  test(`${format}: what is written here is what QEMU reads`, async () => {
    const path = join(folder, `own.${format}`);
    createMedium({ path, format, bytes: BYTES });
    const model = new Uint8Array(BYTES);
    await torture(path, model, 1500, 7);
    compareWithQemu(path, format, model, `own-${format}`);
    rmSync(path);
  });

  test(`${format}: what QEMU made reads and is written here`, async () => {
    const model = new Uint8Array(BYTES);
    const next = sequence(99);
    for (let n = 0; n < 200; n++)
      model.fill(1 + next(255), 4096 * next(BYTES / 4096), undefined).fill(0, 4096 * next(BYTES / 4096));
    const raw = join(folder, `${format}.raw`);
    writeFileSync(raw, model);
    const path = join(folder, `theirs.${format}`);
    const exact = format === 'vhd' ? ['-o', 'force_size=on'] : [];
    qemuImg('convert', '-f', 'raw', '-O', QEMU[format], ...exact, raw, path);
    await torture(path, model, 600, 3);
    compareWithQemu(path, format, model, `theirs-${format}`);
    rmSync(path);
    rmSync(raw);
  });
}

for (const format of ['qcow2', 'vdi', 'vmdk', 'vhd'] as const)
  test(`${format}: an image on top of another keeps what differs, and leaves the other as it was`, async () => {
    const base = join(folder, `base.${format}`);
    createMedium({ path: base, format, bytes: BYTES });
    const model = new Uint8Array(BYTES);
    await torture(base, model, 400, 11);
    const before = readFileSync(base);
    const path = join(folder, `top.${format}`);
    createMedium({ path, format, backing: base });
    await torture(path, model, 1000, 5);
    assert.ok(readFileSync(base).equals(before), 'the image below');
    if (format === 'qcow2' || format === 'vmdk') compareWithQemu(path, format, model, `top-${format}`);
    const whole = join(folder, `whole.${format}`);
    const source = open(path, false);
    writeCopy(source, { path: whole, format, bytes: source.bytes }, () => {});
    source.close();
    compareWithQemu(whole, format, model, `whole-${format}`);
    for (const file of [base, path, whole]) rmSync(file);
  });

test('qcow2: other cluster sizes, packed clusters of both kinds, version 2 and snapshots read', async () => {
  const model = new Uint8Array(BYTES);
  const next = sequence(5);
  for (let n = 0; n < 100; n++) model.fill(1 + next(255), 4096 * next(BYTES / 4096), undefined);
  const raw = join(folder, 'packed.raw');
  writeFileSync(raw, model);
  const kinds = [
    ['-c'],
    ['-c', '-o', 'compression_type=zstd'],
    ['-c', '-o', 'cluster_size=4096'],
    ['-o', 'cluster_size=2097152'],
    ['-o', 'compat=0.10'],
    ['-o', 'refcount_bits=1'],
    ['-o', 'refcount_bits=64'],
  ];
  for (const options of kinds) {
    const path = join(folder, 'packed.qcow2');
    qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, path);
    const own = model.slice();
    await torture(path, own, 300, 21);
    compareWithQemu(path, 'qcow2', own, 'packed');
    rmSync(path);
  }
});

test('vmdk: streams, flat and split images', async () => {
  const model = new Uint8Array(BYTES);
  const next = sequence(13);
  for (let n = 0; n < 100; n++) model.fill(1 + next(255), 4096 * next(BYTES / 4096), undefined);
  const raw = join(folder, 'kinds.raw');
  writeFileSync(raw, model);
  for (const kind of ['streamOptimized', 'monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat']) {
    const path = join(folder, `${kind}.vmdk`);
    qemuImg('convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${kind}`, raw, path);
    const image = open(path, false);
    const read = new Uint8Array(BYTES);
    image.read(0, read);
    image.close();
    assert.ok(Buffer.from(read).equals(model), kind);
    if (kind === 'streamOptimized') continue;
    const own = model.slice();
    await torture(path, own, 300, 17);
    compareWithQemu(path, 'vmdk', own, kind);
  }
});

test('vmdk: a stream made here is what QEMU reads, is read here, and is not written', () => {
  const model = new Uint8Array(BYTES);
  const next = sequence(21);
  for (let n = 0; n < 40; n++) {
    const at = 4096 * next(BYTES / 4096);
    model.fill(1 + next(255), at, at + 300_000);
  }
  // A table of which nothing is there, and a last grain that is cut short.
  model.fill(0, 2 ** 24, 2 ** 25);
  model.fill(9, BYTES - 512);
  const raw = join(folder, 'stream.raw');
  writeFileSync(raw, model);
  const path = join(folder, 'stream.vmdk');
  const source = open(raw, false);
  writeCopy(source, { path, format: 'vmdk', bytes: BYTES, variant: 'stream' }, () => {});
  source.close();
  compareWithQemu(path, 'vmdk', model, 'stream');
  assert.match(qemuImg('info', path), /create type: streamOptimized/);
  const image = open(path, false);
  const read = new Uint8Array(BYTES);
  image.read(0, read);
  assert.ok(Buffer.from(read).equals(model));
  assert.ok(image.readOnly);
  image.close();
  assert.ok(statSync(path).size < 2 ** 20, 'it is packed');
});

for (const [kind, type, room] of [
  ['flat', 'monolithicFlat', { variant: 'fixed' }],
  ['split', 'twoGbMaxExtentSparse', { split: true }],
  ['flat and split', 'twoGbMaxExtentFlat', { variant: 'fixed', split: true }],
] as const)
  test(`vmdk: one that is ${kind} is made, as QEMU reads it`, async () => {
    const own = join(folder, 'pieces');
    mkdirSync(own);
    const path = join(own, 'disk.vmdk');
    const fixed = 'variant' in room;
    // Split images have a second file from 2047 MiB on.
    const bytes = 2048 * 2 ** 20;
    createMedium({ path, format: 'vmdk', bytes, fixed, split: 'split' in room });
    assert.equal(readdirSync(own).length, 'split' in room ? 3 : 2, readdirSync(own).join());
    assert.match(readFileSync(path, 'utf8'), new RegExp(`createType="${type}"`));
    const image = open(path, true);
    for (const at of [0, 2046.5 * 2 ** 20, bytes - 512])
      image.write(at, new Uint8Array(Math.min(2 ** 20, bytes - at)).fill(7));
    image.close();
    const written = JSON.parse(qemuImg('map', '--output=json', '-f', 'vmdk', path)) as { length: number }[];
    assert.equal(
      written.reduce((sum, { length }) => sum + length, 0),
      bytes,
    );
    const copy = join(own, 'copy.vmdk');
    const source = open(path, false);
    writeCopy(source, { path: copy, format: 'vmdk', bytes, ...room }, () => {});
    // What is in the way is left as it is, and nothing else stays.
    const blocked = join(own, 'blocked.vmdk');
    const taken = join(
      own,
      readdirSync(own)
        .find((name) => /^copy-/.test(name))!
        .replace('copy', 'blocked'),
    );
    writeFileSync(taken, 'mine');
    const before = readdirSync(own);
    assert.throws(
      () => writeCopy(source, { path: blocked, format: 'vmdk', bytes, ...room }, () => {}),
      /exists already/,
    );
    assert.throws(
      () => createMedium({ path: blocked, format: 'vmdk', bytes, fixed, split: 'split' in room }),
      /exists already/,
    );
    assert.deepEqual(readdirSync(own), before);
    source.close();
    qemuImg('compare', '-f', 'vmdk', '-F', 'vmdk', path, copy);
    rmSync(own, { recursive: true });
  });

test('dmg: read as QEMU reads it', () => {
  const model = new Uint8Array(4 * 2 ** 20 + 512 * 5);
  const next = sequence(3);
  for (let n = 0; n < 12; n++) {
    const at = 512 * next(model.length / 512);
    model.fill(1 + next(255), at, at + 512 * next(400));
  }
  const path = join(folder, 'apple.dmg');
  writeFileSync(path, makeDmg(model));
  const raw = join(folder, 'apple.raw');
  writeFileSync(raw, model);
  qemuImg('compare', '-f', 'dmg', '-F', 'raw', path, raw);
  const image = open(path, false);
  assert.equal(image.format, 'dmg');
  assert.equal(image.bytes, model.length);
  const read = new Uint8Array(model.length);
  for (let at = 0; at < read.length; at += 5120) image.read(at, read.subarray(at, at + 5120));
  assert.ok(Buffer.from(read).equals(model));
  const copy = join(folder, 'apple.qcow2');
  writeCopy(image, { path: copy, format: 'qcow2', bytes: image.bytes }, () => {});
  image.close();
  compareWithQemu(copy, 'qcow2', model, 'apple');
});

for (const kind of ['floppy', 'disk'] as const)
  test(`a folder is a ${kind} with FAT, as dosfstools and mtools see it`, () => {
    const source = join(folder, `fat-${kind}`);
    const files = {
      'README.TXT': 'hello',
      'empty file': '',
      'a long name, and longer.text': 'x'.repeat(5000),
      'sub dir/deeper/ünï.bin': 'y'.repeat(100_000),
      ...Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`sub dir/file number ${n}`, `${n}`])),
    };
    mkdirSync(join(source, 'sub dir/deeper'), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(source, name), content);
    const image = openMedium({
      kind,
      path: source,
      bus: 'ide',
      format: null,
      mode: 'normal',
      anywhere: false,
    });
    const whole = new Uint8Array(image.bytes);
    image.read(0, whole);
    const start = kind === 'disk' ? 63 * 512 : 0;
    const volume = join(folder, `${kind}.fat`);
    writeFileSync(volume, whole.subarray(start));
    execFileSync('fsck.fat', ['-n', volume]);
    const copy = join(folder, `copy-${kind}`);
    mkdirSync(copy);
    const env = { ...process.env, LC_ALL: 'C.UTF-8' };
    execFileSync('mcopy', ['-s', '-n', '-i', volume, '::*', copy], { env });
    for (const [name, content] of Object.entries(files))
      assert.equal(readFileSync(join(copy, name), 'utf8'), content, name);
    // What is written is seen, and the folder stays as it was.
    const at = whole.findIndex((_, n) => Buffer.from(whole.subarray(n, n + 5)).toString() === 'hello');
    image.write(at - (at % 512), new Uint8Array(512).fill(65));
    const sector = new Uint8Array(512);
    image.read(at - (at % 512), sector);
    assert.equal(sector[0], 65);
    assert.equal(readFileSync(join(source, 'README.TXT'), 'utf8'), 'hello');
  });
