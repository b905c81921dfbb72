import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DriveError } from '../firmware/bios/machine.js';
import { ImageError } from '../media/disk-image.js';
import { RawImage } from '../media/raw.js';
import { MemoryStorage, StorageError } from '../media/storage.js';
import { biosDrive, ImageDrive } from './image-drive.js';

/** A file on a host whose disk is full, or gone, now and then. */
class Troubled extends MemoryStorage {
  broken = false;
  private check(): void {
    if (this.broken) throw new StorageError('disk.img cannot be written: no space left');
  }
  override read(position: number, target: Uint8Array): void {
    this.check();
    super.read(position, target);
  }
  override write(position: number, bytes: Uint8Array): void {
    this.check();
    super.write(position, bytes);
  }
}

function driveOf(storage: MemoryStorage, kind: 'disk' | 'floppy' = 'disk'): ImageDrive {
  const image = new RawImage(storage);
  return new ImageDrive({
    kind,
    bus: 'ide',
    place: kind,
    image,
    name: 'hard disk 1',
    model: 'M',
    serial: 'S',
  });
}

function spend(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

function drive(): { storage: Troubled; drive: ImageDrive; messages: string[] } {
  const storage = new Troubled('disk.img', new Uint8Array(8192));
  const made = driveOf(storage);
  const messages: string[] = [];
  made.onTrouble = (message) => messages.push(message);
  return { storage, drive: made, messages };
}

test('what the host cannot do waits, in order, and is done when it can', () => {
  const { storage, drive: disk, messages } = drive();
  const done: string[] = [];
  storage.broken = true;
  disk.write(0, [new Uint8Array(512).fill(1)], (ok) => done.push(`first ${ok}`));
  disk.write(0, [new Uint8Array(512).fill(2)], (ok) => done.push(`second ${ok}`));
  const read = new Uint8Array(512);
  disk.read(0, [read], (ok) => done.push(`read ${ok}`));
  assert.deepEqual(done, []);
  assert.deepEqual(messages, ['disk.img cannot be written: no space left']);
  assert.equal(disk.retry(), false);
  assert.deepEqual(done, []);
  storage.broken = false;
  assert.equal(disk.retry(), true);
  assert.deepEqual(done, ['first true', 'second true', 'read true']);
  assert.equal(read[0], 2);
  assert.equal(disk.troubled, false);
});

/** A file on a disk that is slow to make things safe. */
class Slow extends MemoryStorage {
  settle: (error: Error | null) => void = () => {};
  override flush(): void {
    spend(2);
  }
  flushBeside(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.settle = (error) => (error ? reject(error) : resolve());
    });
  }
}

test('flushes that take long are done beside the CPUs, where time is real', async () => {
  const storage = new Slow('disk.img', new Uint8Array(8192));
  const disk = driveOf(storage);
  const done: string[] = [];
  const flush = (name: string): void => disk.flush((ok) => done.push(`${name} ${ok}`));
  flush('first');
  flush('virtual time');
  assert.deepEqual(done.splice(0), ['first true', 'virtual time true']);
  disk.beside = true;
  const messages: string[] = [];
  let settled = 0;
  disk.onTrouble = (message) => messages.push(message);
  disk.onSettled = () => settled++;
  flush('beside');
  disk.write(0, [new Uint8Array(512)], (ok) => done.push(`write ${ok}`));
  assert.deepEqual(done.splice(0), ['write true'], 'the machine goes on');
  await new Promise((resolve) => setTimeout(resolve, 3));
  storage.settle(null);
  await turn();
  assert.deepEqual([done.splice(0), settled], [['beside true'], 1]);
  flush('troubled');
  storage.settle(new StorageError('disk.img cannot be flushed'));
  await turn();
  assert.deepEqual([done.splice(0), messages, disk.troubled], [[], ['disk.img cannot be flushed'], true]);
  assert.equal(disk.retry(), true);
  assert.deepEqual(done.splice(0), ['troubled true']);
  flush('quick');
  storage.settle(null);
  await turn();
  assert.deepEqual(done.splice(0), ['quick true']);
});

/** A file that is not in the host's memory. */
class Cold extends MemoryStorage {
  settle: (error: Error | null) => void = () => {};
  ms = 4;
  override read(position: number, target: Uint8Array): void {
    spend(this.ms);
    super.read(position, target);
  }
  readBeside(position: number, target: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.settle = (error) => {
        super.read(position, target);
        if (error) reject(error);
        else resolve();
      };
    });
  }
}

test('reads that take long are done beside the CPUs, and forgotten when the machine starts anew', async () => {
  const storage = new Cold('disk.img', new Uint8Array(8192).fill(7));
  const disk = driveOf(storage);
  disk.beside = true;
  const messages: string[] = [];
  disk.onTrouble = (message) => messages.push(message);
  const parts = [new Uint8Array(512), new Uint8Array(1024)];
  const done: boolean[] = [];
  const read = (): void => {
    for (const part of parts) part.fill(0);
    disk.read(0, parts, (ok) => done.push(ok));
  };
  const settle = async (error: Error | null = null): Promise<void> => {
    storage.settle(error);
    await new Promise((resolve) => setTimeout(resolve, 2));
  };
  read();
  assert.deepEqual(done.splice(0), [true], 'the first one is waited for');
  read();
  assert.deepEqual([done.length, parts[1]![0]], [0, 0]);
  await new Promise((resolve) => setTimeout(resolve, 3));
  await settle();
  assert.deepEqual([done.splice(0), parts[0]![511], parts[1]![1023]], [[true], 7, 7]);
  read();
  disk.forget();
  await new Promise((resolve) => setTimeout(resolve, 3));
  await settle();
  assert.deepEqual([done.length, parts[0]![0]], [0, 0], 'nothing is written any more');
  read();
  storage.ms = 0;
  await settle(new StorageError('disk.img cannot be read'));
  assert.deepEqual([done.length, messages, parts[0]![0]], [0, ['disk.img cannot be read'], 0]);
  assert.ok(disk.retry());
  assert.deepEqual([done.splice(0), parts[0]![0]], [[true], 7]);
  read();
  await settle();
  done.length = 0;
  read();
  assert.deepEqual(done, [true], 'once one was quick they are at once again');
});

test('the BIOS asks again until the host can', () => {
  const { storage, drive: disk } = drive();
  const bios = biosDrive(disk);
  storage.write(512, new Uint8Array(512).fill(9));
  storage.broken = true;
  assert.equal(bios.read(1, 1), null);
  assert.equal(bios.read(1, 1), null);
  storage.broken = false;
  disk.retry();
  assert.equal(bios.read(1, 1)![0], 9);
});

test('what a broken image cannot give fails, is told, and stops nothing behind it', () => {
  const broken = new ImageDrive({
    kind: 'disk',
    bus: 'ide',
    place: 'disk',
    image: {
      format: 'qcow2',
      bytes: 8192,
      readOnly: false,
      read: (position: number) => {
        if (position < 4096) throw new ImageError('disk.qcow2: its table is broken');
      },
      dataFrom: (position) => position,
      write: () => {},
      zero: () => {},
      flush: () => {},
      close: () => {},
    },
    name: 'hard disk 1',
    model: 'M',
    serial: 'S',
  });
  const messages: string[] = [];
  const ended: boolean[] = [];
  broken.onFailure = (message) => messages.push(message);
  broken.read(0, [new Uint8Array(512)], (ok) => ended.push(ok));
  broken.read(4096, [new Uint8Array(512)], (ok) => ended.push(ok));
  assert.deepEqual(ended, [false, true]);
  assert.deepEqual(messages, ['disk.qcow2: its table is broken']);
  const bios = biosDrive(broken);
  assert.throws(() => bios.read(0, 1), DriveError);
  assert.equal(bios.read(8, 1)!.length, 512);
});

test('an empty drive has no sectors and does nothing', () => {
  const { drive: disk } = drive();
  const cd = new ImageDrive({
    kind: 'cdrom',
    bus: 'ide',
    place: 'disk',
    image: null,
    name: 'CD 1',
    model: 'M',
    serial: 'S',
  });
  assert.equal(cd.sectors, 0);
  let ended: boolean | null = null;
  cd.read(0, [new Uint8Array(2048)], (ok) => (ended = ok));
  assert.equal(ended, false);
  assert.equal(cd.takeChange(), false);
  cd.insert(new RawImage(new MemoryStorage('cd', new Uint8Array(4096))), 'CD 1');
  assert.equal(cd.sectors, 2);
  assert.equal(cd.takeChange(), true);
  assert.equal(disk.readOnly, false);
  assert.equal(cd.readOnly, true);
});

/** A file that takes its time to be written, beside this thread. */
class Throttled extends MemoryStorage {
  readonly settle: ((error: Error | null) => void)[] = [];
  ms = 4;
  override write(position: number, bytes: Uint8Array): void {
    spend(this.ms);
    super.write(position, bytes);
  }
  writeBeside(position: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.settle.push((error) => {
        if (error) return reject(error);
        super.write(position, bytes);
        resolve();
      });
    });
  }
}

function throttled(kind: 'disk' | 'floppy' = 'disk') {
  const storage = new Throttled('disk.img', new Uint8Array(8192).fill(7));
  const disk = driveOf(storage, kind);
  disk.beside = true;
  const messages: string[] = [];
  disk.onTrouble = (message) => messages.push(message);
  const done: string[] = [];
  /** A sector of its own for each value. */
  const write = (value: number, sector = value): void =>
    disk.write(sector * 512, [new Uint8Array(256).fill(value), new Uint8Array(256).fill(value)], (ok) =>
      done.push(`${value} ${ok}`),
    );
  const byteAt = (position: number): number => {
    const byte = new Uint8Array(1);
    storage.read(position, byte);
    return byte[0]!;
  };
  return { storage, disk, messages, done, write, byteAt };
}

test('writes that take long are done beside the CPUs; discards wait for them, and what comes after waits for those', async () => {
  const { storage, disk, done, write } = throttled();
  write(1);
  assert.deepEqual(done.splice(0), ['1 true'], 'the first is done at once, and was slow');
  const guest = new Uint8Array(1024).fill(2);
  disk.write(0, [guest], (ok) => done.push(`2 ${ok}`));
  guest.fill(9);
  // Quick now; but what is under way must not be met by one that is done at once.
  storage.ms = 0;
  write(3);
  disk.discard(0, 512, (ok) => done.push(`discard ${ok}`));
  const read = new Uint8Array(2048);
  disk.read(0, [read], (ok) => done.push(`read ${ok}`));
  assert.deepEqual([done, storage.settle.length], [[], 2]);
  storage.settle[0]!(null);
  await turn();
  assert.deepEqual(done.splice(0), ['2 true']);
  storage.settle[1]!(null);
  await turn();
  assert.deepEqual(done.splice(0), ['3 true', 'discard true', 'read true']);
  assert.deepEqual([read[0], read[512], read[1024], read[1536]], [0, 2, 7, 3]);
});

test('of two writes to the same place the later one is done later', async () => {
  const { storage, done, write, byteAt } = throttled();
  write(1);
  write(2, 5);
  write(3, 5);
  assert.equal(storage.settle.length, 1);
  storage.settle[0]!(null);
  await turn();
  while (storage.settle.length > 1 && done.length < 3) {
    storage.settle[1]!(null);
    await turn();
  }
  assert.deepEqual([done, byteAt(5 * 512)], [['1 true', '2 true', '3 true'], 3]);
});

test('a write beside the CPUs that fails waits, until nothing else is under way', async () => {
  const { storage, disk, messages, done, write } = throttled();
  write(1);
  write(2);
  write(3);
  assert.equal(disk.retry(), true, 'nothing waits for the host');
  storage.settle[0]!(new StorageError('disk.img cannot be written: no space left'));
  await turn();
  assert.deepEqual([done, messages.length, disk.troubled], [['1 true'], 1, true]);
  assert.equal(disk.retry(), false, 'another is under way still');
  storage.settle[1]!(null);
  await turn();
  assert.equal(disk.retry(), true);
  assert.deepEqual(done.splice(0), ['1 true', '3 true', '2 true']);
});

test('a machine that starts anew does not see what it asked for before, which ends before anything else is done', async () => {
  const { storage, disk, done, write, byteAt } = throttled();
  write(1);
  write(2);
  disk.discard(0, 512, (ok) => done.push(`discard ${ok}`));
  const bios = biosDrive(disk);
  assert.equal(bios.write(9, new Uint8Array(512).fill(9)), false);
  disk.forget();
  done.splice(0);
  assert.equal(bios.read(2, 1), null, 'the BIOS waits');
  write(4, 2);
  assert.deepEqual(done, []);
  storage.ms = 0;
  storage.settle[0]!(null);
  await turn();
  assert.equal(bios.read(2, 1)![0], 2);
  for (let n = 1; n < storage.settle.length; n++) storage.settle[n]!(null);
  await turn();
  assert.deepEqual([done, byteAt(2 * 512), byteAt(9 * 512)], [['4 true'], 4, 7]);
});

test('a medium that is taken out ends what is under way, and what waits for that', async () => {
  const { storage, disk, messages, done, write } = throttled('floppy');
  let closed = 0;
  storage.close = () => closed++;
  for (const value of [1, 2, 3]) write(value);
  disk.discard(0, 512, (ok) => done.push(`discard ${ok}`));
  const other = new Uint8Array(8192).fill(7);
  disk.insert(new RawImage(new MemoryStorage('other.img', other)), 'G');
  assert.deepEqual(done.splice(0), ['1 true', 'discard false']);
  storage.settle[0]!(null);
  await turn();
  assert.equal(closed, 0);
  storage.settle[1]!(new StorageError('disk.img cannot be written: no space left'));
  await turn();
  assert.deepEqual([done, messages, disk.troubled, closed], [['2 true', '3 false'], [], false, 1]);
  assert.ok(
    other.every((byte) => byte === 7),
    'the other medium',
  );
});
