import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestRam } from '../../machine/guest-ram.js';
import { DESC_F_INDIRECT, DESC_F_NEXT, DESC_F_WRITE } from './constants.js';
import { RingError, Virtqueue } from './virtqueue.js';

const DESCRIPTORS = 0x1000;
const AVAILABLE = 0x2000;
const USED = 0x3000;
const RAM_BYTES = 0x10000;
const SIZE = 4;

function make(options: { indirect?: boolean; eventIndex?: boolean } = {}) {
  const ram = new GuestRam(new SharedArrayBuffer(RAM_BYTES), 0, { lowBytes: RAM_BYTES, highBytes: 0 });
  const queue = new Virtqueue(ram, 16);
  queue.size = SIZE;
  queue.descriptors = DESCRIPTORS;
  queue.available = AVAILABLE;
  queue.used = USED;
  queue.indirect = options.indirect ?? false;
  queue.eventIndex = options.eventIndex ?? false;
  queue.enable();
  const descriptor = (
    index: number,
    address: number,
    length: number,
    flags = 0,
    next = 0,
    table = DESCRIPTORS,
  ): void => {
    ram.writeU64(table + index * 16, BigInt(address));
    ram.writeU32(table + index * 16 + 8, length);
    ram.writeU16(table + index * 16 + 12, flags);
    ram.writeU16(table + index * 16 + 14, next);
  };
  let index = 0;
  const offer = (head: number): void => {
    ram.writeU16(AVAILABLE + 4 + 2 * (index & (SIZE - 1)), head);
    index = (index + 1) & 0xffff;
    ram.writeU16(AVAILABLE + 2, index);
  };
  return { ram, queue, descriptor, offer };
}

test('a chain gives its buffers, readable ones first, and is given back', () => {
  const { ram, queue, descriptor, offer } = make();
  descriptor(2, 0x5000, 16, DESC_F_NEXT, 0);
  descriptor(0, 0x6000, 32, DESC_F_NEXT | DESC_F_WRITE, 3);
  descriptor(3, 0x7000, 8, DESC_F_WRITE);
  offer(2);
  const chain = queue.next()!;
  assert.deepEqual(chain, {
    head: 2,
    readable: [{ address: 0x5000, length: 16 }],
    writable: [
      { address: 0x6000, length: 32 },
      { address: 0x7000, length: 8 },
    ],
  });
  assert.equal(queue.next(), undefined);
  queue.giveBack(chain, 40);
  assert.equal(ram.readU16(USED + 2), 1);
  assert.equal(ram.readU32(USED + 4), 2);
  assert.equal(ram.readU32(USED + 8), 40);
  assert.equal(queue.takeInterrupt(), true);
  assert.equal(queue.takeInterrupt(), false);
});

test('the ring wraps, also at 65536', () => {
  const { queue, descriptor, offer } = make();
  descriptor(1, 0x5000, 4, DESC_F_WRITE);
  for (let round = 0; round < 70_000; round++) {
    offer(1);
    queue.giveBack(queue.next()!, 4);
    assert.equal(queue.takeInterrupt(), true);
  }
});

test('the driver can hold interrupts back by flag', () => {
  const { ram, queue, descriptor, offer } = make();
  descriptor(1, 0x5000, 4, DESC_F_WRITE);
  ram.writeU16(AVAILABLE, 1);
  offer(1);
  queue.giveBack(queue.next()!, 4);
  assert.equal(queue.takeInterrupt(), false);
});

test('event index: interrupts only past used_event, and asks for notifications in avail_event', () => {
  const { ram, queue, descriptor, offer } = make({ eventIndex: true });
  descriptor(1, 0x5000, 4, DESC_F_WRITE);
  ram.writeU16(AVAILABLE + 4 + 2 * SIZE, 1);
  const serve = (): boolean => {
    offer(1);
    queue.giveBack(queue.next()!, 4);
    return queue.takeInterrupt();
  };
  assert.deepEqual([serve(), serve(), serve()], [false, true, false]);
  queue.next();
  assert.equal(ram.readU16(USED + 4 + 8 * SIZE), 3);
});

test('an indirect table is followed', () => {
  const { queue, descriptor, offer } = make({ indirect: true });
  descriptor(0, 0x8000, 32, DESC_F_INDIRECT);
  descriptor(0, 0x5000, 4, DESC_F_NEXT, 1, 0x8000);
  descriptor(1, 0x6000, 8, DESC_F_WRITE, 0, 0x8000);
  offer(0);
  assert.deepEqual(queue.next(), {
    head: 0,
    readable: [{ address: 0x5000, length: 4 }],
    writable: [{ address: 0x6000, length: 8 }],
  });
});

const broken: [string, (guest: ReturnType<typeof make>) => void][] = [
  ['a loop', ({ descriptor }) => descriptor(0, 0x5000, 4, DESC_F_NEXT, 0)],
  ['a next beyond the table', ({ descriptor }) => descriptor(0, 0x5000, 4, DESC_F_NEXT, 9)],
  ['a buffer outside of RAM', ({ descriptor }) => descriptor(0, RAM_BYTES - 2, 4)],
  [
    'a buffer at the end of all addresses',
    ({ ram, descriptor }) => {
      descriptor(0, 0, 4);
      ram.writeU64(DESCRIPTORS, 0xffff_ffff_ffff_fffen);
    },
  ],
  ['an empty buffer', ({ descriptor }) => descriptor(0, 0x5000, 0)],
  [
    'a readable buffer behind a writable one',
    ({ descriptor }) => {
      descriptor(0, 0x5000, 4, DESC_F_NEXT | DESC_F_WRITE, 1);
      descriptor(1, 0x5000, 4);
    },
  ],
  [
    'an indirect table in one',
    ({ descriptor }) => {
      descriptor(0, 0x8000, 16, DESC_F_INDIRECT);
      descriptor(0, 0x8000, 16, DESC_F_INDIRECT, 0, 0x8000);
    },
  ],
  ['an indirect table of odd size', ({ descriptor }) => descriptor(0, 0x8000, 17, DESC_F_INDIRECT)],
  [
    'an indirect table outside of RAM',
    ({ descriptor }) => descriptor(0, RAM_BYTES - 16, 32, DESC_F_INDIRECT),
  ],
];
for (const [name, build] of broken) {
  test(`${name} is refused`, () => {
    const guest = make({ indirect: true });
    build(guest);
    guest.offer(0);
    assert.throws(() => guest.queue.next(), RingError);
  });
}

test('heads and counts beyond the ring are refused, and indirect ones that were not agreed on', () => {
  const first = make();
  first.offer(77);
  assert.throws(() => first.queue.next(), RingError);
  const second = make();
  second.ram.writeU16(AVAILABLE + 2, 5);
  assert.throws(() => second.queue.next(), RingError);
  const third = make();
  third.descriptor(0, 0x8000, 16, DESC_F_INDIRECT);
  third.offer(0);
  assert.throws(() => third.queue.next(), RingError);
});

test('rings that are not in RAM, not aligned or of odd size cannot be enabled', () => {
  const { ram } = make();
  const attempt = (size: number, descriptors: number, available: number, used: number): void => {
    const queue = new Virtqueue(ram, 16);
    Object.assign(queue, { size, descriptors, available, used });
    queue.enable();
  };
  attempt(16, DESCRIPTORS, AVAILABLE, USED);
  for (const [size, descriptors, available, used] of [
    [3, DESCRIPTORS, AVAILABLE, USED],
    [0, DESCRIPTORS, AVAILABLE, USED],
    [32, DESCRIPTORS, AVAILABLE, USED],
    [16, RAM_BYTES - 16, AVAILABLE, USED],
    [16, DESCRIPTORS, RAM_BYTES, USED],
    [16, DESCRIPTORS, AVAILABLE, 2 ** 60],
    [16, DESCRIPTORS + 8, AVAILABLE, USED],
  ] as const) {
    assert.throws(() => attempt(size, descriptors, available, used), RingError);
  }
});
