/** Broken images: an error that says what is wrong, or a read; never anything else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkQcow2 } from './qcow2-check.js';
import { ImageError } from './disk-image.js';
import { makeDmg } from '../testing/dmg.js';
import { sequence } from '../testing/sequence.js';
import { openImage, type AnyFormat, type Neighbours } from './open-image.js';
import { createQcow2 } from './qcow2.js';
import { MemoryStorage, type Storage } from './storage.js';
import { createVdi } from './vdi.js';
import { createVhd } from './vhd.js';
import { createVhdx } from './vhdx.js';
import { createVmdk } from './vmdk-create.js';

/** 100000 inputs a format: VIV_FUZZ_IMAGES=100000. */
const INPUTS = Number(process.env['VIV_FUZZ_IMAGES'] ?? 1500);
const BYTES = 3 * 2 ** 20;
const SLOWEST_MS = 2000;

const alone: Neighbours = {
  open: (name) => {
    throw new ImageError(`it needs ${name}, which is not there`);
  },
  openPart: (name) => {
    throw new ImageError(`it needs ${name}, which is not there`);
  },
  findVdi: () => null,
};

const id = new Uint8Array(16).fill(7);
const MAKERS: Record<Exclude<AnyFormat, 'raw'>, (storage: Storage) => void> = {
  qcow2: (storage) => createQcow2(storage, { bytes: BYTES }),
  vdi: (storage) => createVdi(storage, { bytes: BYTES, uuid: id }),
  vmdk: (storage) => createVmdk(storage, { bytes: BYTES, name: 'fuzz.vmdk', cid: 1 }),
  vhd: (storage) => createVhd(storage, { bytes: BYTES, uuid: id, seconds: 0 }),
  vhdx: (storage) => createVhdx(storage, { bytes: BYTES, ids: [id, id, id] }),
  dmg: (storage) => storage.write(0, makeDmg(new Uint8Array(BYTES).map((_, at) => (at >> 16) % 4))),
};

/** A file of which only some places are there; writes are kept beside it. */
class Patched implements Storage {
  readonly readOnly = false;
  readonly name = 'fuzz';
  private readonly patches = new Map<number, number>();
  constructor(
    private readonly below: Uint8Array,
    private length: number,
  ) {}
  get size(): number {
    return this.length;
  }
  patch(at: number, byte: number): void {
    this.patches.set(at, byte);
  }
  read(position: number, target: Uint8Array): void {
    assert.ok(target.length <= 2 ** 28, `reads ${target.length} bytes at once`);
    target.fill(0);
    target.set(this.below.subarray(position, Math.min(position + target.length, this.length)));
    for (const [at, byte] of this.patches)
      if (at >= position && at < position + target.length) target[at - position] = byte;
  }
  write(position: number, bytes: Uint8Array): void {
    for (let n = 0; n < Math.min(bytes.length, 512); n++) this.patches.set(position + n, bytes[n]!);
    this.length = Math.max(this.length, position + bytes.length);
  }
  resize(size: number): void {
    assert.ok(size < 2 ** 33, `grows to ${size} bytes`);
    this.length = size;
  }
  punch(): void {}
  flush(): void {}
  close(): void {}
}

for (const format of Object.keys(MAKERS) as (keyof typeof MAKERS)[])
  test(`${format}: broken headers and tables end in an error or a read`, () => {
    const whole = new MemoryStorage('fuzz');
    MAKERS[format](whole);
    const image = openImage(whole, format, alone);
    for (let n = 0; n < 6 && !image.readOnly; n++) image.write(n * 500_000, new Uint8Array(3000).fill(n + 1));
    image.flush();
    const bytes = new Uint8Array(whole.size);
    whole.read(0, bytes);
    // Where there is something: that is worth breaking.
    const places = bytes.reduce<number[]>(
      (found, byte, at) => (byte !== 0 && byte > 6 ? [...found.slice(-4000), at] : found),
      [],
    );
    const head = Array.from({ length: 512 }, (_, at) => at);
    const next = sequence(77);
    let errors = 0;
    for (let input = 0; input < INPUTS; input++) {
      const cut = next(10) === 0 ? next(bytes.length) : bytes.length;
      const storage = new Patched(bytes, cut);
      for (let n = 1 + next(6); n > 0; n--) {
        const list = next(3) === 0 ? places : head;
        const at = list[next(list.length)]! + next(8);
        storage.patch(at, [0, 0xff, 0x80, 1, next(256)][next(5)]!);
      }
      const since = performance.now();
      try {
        const broken = openImage(storage, format, alone);
        const part = new Uint8Array(4096);
        for (let n = 0; n < 4; n++) {
          const position = next(Math.max(1, Math.min(broken.bytes, 2 ** 40) - part.length));
          if (position + part.length <= broken.bytes) broken.read(position, part);
        }
        if (!broken.readOnly && broken.bytes > 8192) {
          broken.write(4096, part);
          broken.flush();
        }
        if (format === 'qcow2' && input % 8 === 0) checkQcow2(storage, true, () => {});
      } catch (error) {
        if (!(error instanceof ImageError)) throw new Error(`input ${input}: ${(error as Error).stack}`);
        errors++;
      }
      assert.ok(
        performance.now() - since < SLOWEST_MS,
        `input ${input} took ${performance.now() - since} ms`,
      );
    }
    assert.ok(errors > INPUTS / 50, `${errors} of ${INPUTS} were refused`);
  });
