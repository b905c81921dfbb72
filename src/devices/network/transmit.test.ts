/** Cards whose cable is busy: what the driver gave them waits, and nothing of it is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cable, Station } from '../../machine/cable.js';
import type { Frame } from '../../machine/frame.js';
import { GuestRam } from '../../machine/guest-ram.js';
import type { PciFunction } from '../../machine/pci/pci-function.js';
import { quietBuses, TestTime } from '../../machine/testing.js';
import { VirtioNet } from '../virtio/virtio-net.js';
import { Virtqueue } from '../virtio/virtqueue.js';
import { E1000 } from './e1000.js';
import { E1000e } from './e1000e.js';
import { PcNet } from './pcnet.js';
import { Rtl8139 } from './rtl8139.js';

const RAM = 2 ** 20;
const BAR = 0xe0000000;
const MAC = Uint8Array.of(0x52, 0x56, 0, 1, 2, 3);
const RING = 0x1000;
const BUFFERS = 0x10000;
const FRAME_BYTES = 60;

/** A cable that is busy when the test says so, or when it has taken some frames more. */
class BusyCable implements Cable {
  readonly connected = true;
  /** Number of each frame that went. */
  readonly sent: number[] = [];
  private station!: Station;
  /** How many frames it takes before it is busy. */
  private free = Infinity;

  get busy(): boolean {
    return this.free <= 0;
  }
  plug(station: Station): void {
    this.station = station;
  }
  send(frame: Frame): void {
    this.free--;
    this.sent.push(frame.bytes[FRAME_BYTES - 1]!);
  }
  flush(): void {}
  room(): void {}
  take(free: number): void {
    this.free = free;
    if (free > 0) this.station.ready?.();
  }
}

/** What drivers do with a card. */
interface Driver {
  reset(): void;
  /** Stops it from sending. */
  disable(): void;
  /** Gives it the frame that lies in this buffer, the next in turn. */
  offer(buffer: number): void;
  /** How many frames it has given back since it was reset. */
  readonly done: number;
}

interface Place {
  readonly ram: GuestRam;
  readonly view: DataView;
  readonly cable: BusyCable;
}

/** A function on PCI, with its registers in memory. */
function plug(card: PciFunction): (offset: number, value: number, size?: 1 | 2 | 4) => void {
  const { pci, mmio } = quietBuses();
  pci.plug(5, 0, card);
  const memory = card.barTargets.find(([, { kind }]) => kind === 'memory')!;
  card.writeConfig(0x10 + 4 * memory[0], BAR, 4);
  card.writeConfig(4, 7, 2);
  return (offset, value, size = 4) => mmio.write(BAR + offset, value, size);
}

function intel(make: (place: Place) => E1000 | E1000e): (place: Place) => Driver {
  return (place) => {
    const card = make(place);
    const write = plug(card);
    let tail = 0;
    return {
      reset() {
        write(0, 1 << 26);
        [0x3800, 0x3808, 0x400].forEach((at, n) => write(at, [RING, 128, 2][n]!));
        place.view.setBigUint64(RING + 8, 0n, true);
        for (let n = 0; n < 8; n++) place.view.setUint32(RING + 16 * n + 12, 0, true);
        tail = 0;
      },
      disable: () => write(0x400, 0),
      offer(buffer) {
        place.view.setBigUint64(RING + 16 * tail, BigInt(buffer), true);
        // EOP, IFCS, RS
        place.view.setUint32(RING + 16 * tail + 8, FRAME_BYTES | 0x0b000000, true);
        write(0x3818, ++tail);
      },
      get done() {
        // STATUS says that transmission is paused, so that drivers do not take the card for hung.
        assert.equal((card.mmioRead(8, 4) & 0x10) !== 0, place.cable.busy);
        return [...Array(8).keys()].filter((n) => place.view.getUint8(RING + 16 * n + 12) & 1).length;
      },
    };
  };
}

function pcnet({ ram, view, cable }: Place): Driver {
  const write = plug(new PcNet(ram, MAC, cable));
  const csr = (index: number, value: number): void => {
    write(0x12, index, 2);
    write(0x10, value, 2);
  };
  let next = 0;
  return {
    reset() {
      csr(0, 4);
      // 32 bits, with rings of 1 and of 8 descriptors.
      csr(58, 2);
      const block = 0x800;
      view.setUint32(block, 0x30000000, true);
      view.setUint32(block + 20, 0x4000, true);
      view.setUint32(block + 24, RING, true);
      csr(1, block);
      csr(2, 0);
      for (let n = 0; n < 8; n++) view.setUint32(RING + 16 * n + 4, 0, true);
      csr(0, 1);
      csr(0, 2);
      next = 0;
    },
    disable: () => csr(0, 4),
    offer(buffer) {
      view.setUint32(RING + 16 * next, buffer, true);
      view.setUint32(RING + 16 * next + 4, 0x8300f000 | (0x1000 - FRAME_BYTES), true);
      next++;
      csr(0, 8);
    },
    get done() {
      return [...Array(next).keys()].filter((n) => view.getInt32(RING + 16 * n + 4, true) >= 0).length;
    },
  };
}

function rtl8139({ ram, cable }: Place): Driver {
  const card = new Rtl8139(ram, MAC, cable);
  const write = plug(card);
  let next = 0;
  return {
    reset() {
      write(0x37, 0x10, 1);
      write(0x37, 4, 1);
      next = 0;
    },
    disable: () => write(0x37, 0, 1),
    offer(buffer) {
      write(0x20 + 4 * next, buffer);
      write(0x10 + 4 * next, FRAME_BYTES);
      next++;
    },
    get done() {
      return [...Array(next).keys()].filter((n) => (card.mmioRead(0x10 + 4 * n, 4) & 0xa000) === 0xa000)
        .length;
    },
  };
}

function virtio({ ram, view, cable }: Place): Driver {
  const device = new VirtioNet(ram, MAC, cable, 1);
  const queue = new Virtqueue(ram, 256);
  const used = 0x3000;
  let next = 0;
  device.wake = (index) => {
    if (index === 1 && queue.enabled) device.queueNotified(1, queue);
  };
  return {
    reset() {
      queue.reset();
      device.reset();
      Object.assign(queue, { size: 8, descriptors: RING, available: 0x2000, used });
      view.setUint16(0x2002, 0, true);
      view.setUint16(used + 2, 0, true);
      queue.enable();
      next = 0;
    },
    disable: () => queue.reset(),
    offer(buffer) {
      // A header of 10 zeros lies before the frame.
      view.setBigUint64(RING + 16 * next, BigInt(buffer - 10), true);
      view.setUint32(RING + 16 * next + 8, FRAME_BYTES + 10, true);
      view.setUint16(0x2004 + 2 * next, next, true);
      view.setUint16(0x2002, ++next, true);
      device.queueNotified(1, queue);
    },
    get done() {
      return view.getUint16(used + 2, true);
    },
  };
}

const CARDS: Record<string, (place: Place) => Driver> = {
  virtio,
  e1000: intel(({ ram, cable }) => new E1000(ram, new TestTime().events, MAC, cable, 'card')),
  e1000e: intel(({ ram, cable }) => new E1000e(ram, new TestTime().events, MAC, cable, 'card')),
  pcnet,
  rtl8139,
};

for (const [name, make] of Object.entries(CARDS))
  test(`${name}: frames wait while the cable is busy`, () => {
    const bytes = new Uint8Array(RAM);
    const cable = new BusyCable();
    const ram = new GuestRam(bytes.buffer, 0, { lowBytes: RAM, highBytes: 0 });
    const driver = make({ ram, view: new DataView(bytes.buffer), cable });
    let number = 0;
    const offer = (): void => {
      const buffer = BUFFERS + 0x100 * ++number;
      bytes[buffer + FRAME_BYTES - 1] = number;
      driver.offer(buffer);
    };
    driver.reset();
    offer();
    assert.deepEqual([cable.sent, driver.done], [[1], 1]);

    cable.take(0);
    offer();
    offer();
    assert.deepEqual([cable.sent, driver.done], [[1], 1]);
    cable.take(1);
    assert.deepEqual([cable.sent, driver.done], [[1, 2], 2]);
    cable.take(Infinity);
    assert.deepEqual([cable.sent, driver.done], [[1, 2, 3], 3]);
    offer();
    assert.deepEqual([cable.sent, driver.done], [[1, 2, 3, 4], 4]);

    // What waits when the card is reset or stopped is not sent; then it goes on from its start.
    for (const stop of [() => driver.reset(), () => driver.disable()]) {
      driver.reset();
      cable.sent.length = 0;
      cable.take(0);
      offer();
      stop();
      cable.take(Infinity);
      assert.deepEqual(cable.sent, []);
      driver.reset();
      offer();
      assert.deepEqual([cable.sent, driver.done], [[number], 1]);
    }
  });
