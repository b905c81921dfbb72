/** Whatever a guest writes to a device, nothing is thrown and nothing takes long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bios } from '../firmware/bios/bios.js';
import { SERVICE_PORT, STACK_PORT } from '../firmware/bios/rom.js';
import type { Cable, Station } from '../machine/cable.js';
import type { Drive } from '../machine/drive.js';
import { Frame, MOST_FRAME_BYTES, NO_OFFLOAD } from '../machine/frame.js';
import { GuestRam } from '../machine/guest-ram.js';
import { MmioBus } from '../machine/mmio-bus.js';
import { PciBus } from '../machine/pci/pci-bus.js';
import type { PciFunction } from '../machine/pci/pci-function.js';
import { PortBus } from '../machine/port-bus.js';
import { quietBuses, TestTime } from '../machine/testing.js';
import { forReceiver } from '../network/complete.js';
import { sequence } from '../testing/sequence.js';
import { picture } from './display/picture.js';
import { screenLines } from './display/text-screen.js';
import { Vga, VGA_MEMORY_BYTES } from './display/vga.js';
import { DmaControllers } from './legacy/dma8237.js';
import { FwCfg } from './legacy/fw-cfg.js';
import { NorFlash } from './legacy/nor-flash.js';
import { Ahci } from './storage/ahci.js';
import { FloppyController } from './storage/floppy-controller.js';
import { IdeController } from './storage/ide-controller.js';
import { Nvme } from './storage/nvme.js';
import { ScsiCdrom } from './storage/scsi-cdrom.js';
import { ScsiDisk } from './storage/scsi-disk.js';
import { E1000 } from './network/e1000.js';
import { E1000e } from './network/e1000e.js';
import { Ne2000Isa } from './network/ne2000.js';
import { PcNet } from './network/pcnet.js';
import { Rtl8139 } from './network/rtl8139.js';
import { VirtioBlk } from './virtio/virtio-blk.js';
import { VirtioNet } from './virtio/virtio-net.js';
import { VirtioPci } from './virtio/virtio-pci.js';
import { VirtioScsi } from './virtio/virtio-scsi.js';
import { RingError, Virtqueue } from './virtio/virtqueue.js';

/** What real mode reaches is RAM on every machine. */
const RAM = 2 ** 20 + 2 ** 16;
const BAR = 0xe0000000;
const ROUNDS = Number(process.env['VIV_FUZZ_DEVICES'] ?? 20_000);
const SLOWEST_MS = 3000;

/** A drive that checks what it is asked. */
function drive(kind: Drive['kind']): Drive {
  const sectorBytes = kind === 'cdrom' ? 2048 : 512;
  const bytes = kind === 'floppy' ? 1_474_560 : RAM;
  const within = (position: number, length: number): void =>
    assert.ok(position >= 0 && position + length <= bytes, `${position}, ${length} bytes`);
  const move = (position: number, parts: readonly Uint8Array[], done: (ok: boolean) => void): void => {
    within(
      position,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    done(position % 7 !== 0);
  };
  const clear = (position: number, length: number, done: (ok: boolean) => void): void => {
    within(position, length);
    done(true);
  };
  return {
    kind,
    model: 'HOSTILE TEST',
    serial: 'H1',
    sectorBytes,
    sectors: bytes / sectorBytes,
    readOnly: kind === 'cdrom',
    discards: kind !== 'cdrom',
    read: move,
    write: move,
    discard: clear,
    zero: clear,
    flush: (done) => done(true),
    locked: false,
    eject: () => {},
    onChange: () => {},
  };
}

function make(): {
  ram: GuestRam;
  ports: PortBus;
  mmio: MmioBus;
  pci: PciBus;
  next: (below: number) => number;
  bytes: Uint8Array;
} {
  const bytes = new Uint8Array(RAM);
  const ram = new GuestRam(bytes.buffer, 0, { lowBytes: RAM, highBytes: 0 });
  return { ...quietBuses(), ram, next: sequence(4711), bytes };
}

/** Numbers that lead somewhere more often than chance. */
function value(next: (below: number) => number): number {
  const kinds = [
    next(256),
    next(RAM),
    next(RAM) & ~0xfff,
    next(2 ** 31) * 2 + next(2),
    0xffffffff,
    1 << next(31),
  ];
  return kinds[next(kinds.length)]! >>> 0;
}

/** Writes and reads at random in the first bytes of a BAR, with memory that changes below. */
function attack(
  device: (made: ReturnType<typeof make>) => PciFunction,
  offsets: readonly number[],
  each: (next: (below: number) => number) => void = () => {},
): void {
  const made = make();
  const { pci, mmio, next, bytes } = made;
  const plugged = device(made);
  pci.plug(5, 0, plugged);
  plugged.reset();
  plugged.barTargets.forEach(([index], n) => plugged.writeConfig(0x10 + 4 * index, BAR + n * 0x100000, 4));
  plugged.writeConfig(4, 7, 2);
  for (let round = 0; round < ROUNDS; round++) {
    const since = performance.now();
    for (let n = 0; n < 4; n++) new DataView(bytes.buffer).setUint32(next(RAM - 4), value(next), true);
    const offset = next(3) === 0 ? next(0x4000) : offsets[next(offsets.length)]!;
    const place = BAR + next(plugged.barTargets.length) * 0x100000 + offset;
    if (next(4) === 0) mmio.read(place, 4);
    else mmio.write(place, value(next), ([1, 2, 4, 4] as const)[next(4)]!);
    if (next(500) === 0) plugged.reset();
    each(next);
    assert.ok(performance.now() - since < SLOWEST_MS, `round ${round}`);
    if (next(500) === 0) plugged.writeConfig(4, 7, 2);
  }
}

test('AHCI', () => {
  const registers = [
    4, 8, 0x100, 0x104, 0x108, 0x10c, 0x110, 0x114, 0x118, 0x12c, 0x134, 0x138, 0x138, 0x138,
  ];
  attack(
    ({ ram }) => new Ahci([drive('disk'), drive('cdrom')], ram),
    [...registers, ...registers.map((at) => (at < 0x100 ? at : at + 0x80))],
  );
});
test('NVMe', () =>
  attack(
    ({ ram }) => new Nvme(drive('disk'), ram, 2),
    [0x14, 0x24, 0x28, 0x30, 0x1000, 0x1000, 0x1004, 0x1008, 0x100c],
  ));
test('virtio-blk', () =>
  attack(
    ({ ram }) => new VirtioPci(new VirtioBlk(ram, drive('disk'), 2), ram),
    [0, 4, 8, 0xc, 0x14, 0x16, 0x18, 0x1c, 0x20, 0x28, 0x30, 0x3000, 0x3004],
  ));
test('virtio-scsi', () =>
  attack(
    ({ ram }) =>
      new VirtioPci(
        new VirtioScsi(ram, [new ScsiDisk(drive('disk')), new ScsiCdrom(drive('cdrom'))], 2),
        ram,
      ),
    [0, 4, 8, 0xc, 0x14, 0x16, 0x18, 0x1c, 0x20, 0x28, 0x30, 0x3000, 0x3004, 0x3008],
  ));

/** Makes a frame of IP of it, with extension headers of IPv6, maybe behind a VLAN tag. */
function likePackets(bytes: Uint8Array, next: (below: number) => number): void {
  const at = next(4) ? 12 : 16;
  if (at > 12) bytes.set([0x81, 0], 12);
  if (next(2)) bytes.set(next(2) ? [0x08, 0, 0x45] : [0x86, 0xdd], at);
  // The next header of IPv6: hop by hop, routing, for the destination, TCP.
  if (next(2)) bytes[at + 8] = [0, 43, 60, 6][next(4)]!;
}

/** A cable that frames of any kind come through, and that looks at those that go. */
class HostileCable implements Cable {
  connected = true;
  busy = false;
  private station: Station | null = null;
  sent = 0;

  plug(station: Station): void {
    this.station = station;
  }
  send(frame: Frame): void {
    assert.ok(frame.length >= 1 && frame.length <= MOST_FRAME_BYTES + 4, `${frame.length} bytes`);
    assert.equal(frame.bytes.length, frame.length);
    for (const piece of forReceiver(frame, NO_OFFLOAD)) this.sent += piece.length;
  }
  flush(): void {}
  room(): void {}
  readonly each = (next: (below: number) => number): void => {
    if (next(4) > 0) return;
    const bytes = Uint8Array.from({ length: 14 + next(next(10) === 0 ? 9000 : 1500) }, () => next(256));
    if (next(2)) bytes.fill(255, 0, 6);
    if (bytes.length > 60) likePackets(bytes, next);
    this.station!.receive(Frame.of(bytes));
    if (next(100) === 0) {
      this.connected = !this.connected;
      this.station!.connectionChanged?.();
    }
    this.busy = next(3) === 0;
    if (!this.busy) this.station!.ready?.();
  };
}

const MAC = Uint8Array.of(0x52, 0x56, 0, 1, 2, 3);

// Rings are where memory is, most of the time, and receiver and transmitter are on.
const RINGS = [0x2800, 0x2808, 0x2810, 0x2818, 0x3800, 0x3808, 0x3810, 0x3818, 0x3818, 0x100, 0x400, 0x5000];
// Of the 82574, and what divides frames between them.
const SECOND_RINGS = [0x2900, 0x2908, 0x2910, 0x2918, 0x3900, 0x3908, 0x3918, 0x5818, 0x5c00];
test('e1000', () => {
  const cable = new HostileCable();
  attack(
    ({ ram }) => new E1000(ram, new TestTime().events, MAC, cable, 'card'),
    [...RINGS, 0, 0x10, 0x20, 0xc0, 0xc4, 0xd0],
    cable.each,
  );
});
test('e1000e', () => {
  const cable = new HostileCable();
  attack(
    ({ ram }) => new E1000e(ram, new TestTime().events, MAC, cable, 'card'),
    [...RINGS, ...SECOND_RINGS, 0x5008, 0x5008, 0x2170, 0xdc, 0xe4, 0xe8, 0xc0, 0xd0, 0x18],
    cable.each,
  );
});
test('PCnet', () => {
  const cable = new HostileCable();
  attack(({ ram }) => new PcNet(ram, MAC, cable), [0x10, 0x10, 0x12, 0x14, 0x16, 0x18, 0x1c], cable.each);
});
test('RTL8139', () => {
  const cable = new HostileCable();
  attack(
    ({ ram }) => new Rtl8139(ram, MAC, cable),
    [0x10, 0x14, 0x20, 0x30, 0x37, 0x38, 0x3c, 0x3e, 0x44, 0x50, 0x62],
    cable.each,
  );
});
test('NE2000', () => {
  const cable = new HostileCable();
  const { ports, next } = make();
  const card = new Ne2000Isa(MAC, cable, () => {}, 0x300);
  card.attach(ports);
  attackPorts(
    ports,
    [...Array(32).keys()].map((n) => 0x300 + n),
    next,
    () => cable.each(next),
  );
  assert.ok(cable.sent > 0);
});

test('virtio-net: any descriptors, any header', () => {
  const { ram, bytes, next } = make();
  const cable = new HostileCable();
  const device = new VirtioNet(ram, MAC, cable, 2);
  const view = new DataView(bytes.buffer);
  for (let round = 0; round < ROUNDS; round++) {
    if (next(20) === 0) {
      const features = next(2 ** 25) | 0;
      device.negotiated = (bit) => bit === 32 || (bit < 25 && (features & (1 << bit)) !== 0);
      device.reset();
    }
    const queue = new Virtqueue(ram, 256);
    Object.assign(queue, {
      size: 8,
      descriptors: 0x1000,
      available: 0x2000,
      used: 0x3000,
      indirect: next(2) === 0,
    });
    queue.enable();
    for (let n = 0; n < 8; n++) {
      view.setBigUint64(0x1000 + 16 * n, BigInt(next(20) ? 0x8000 + next(0x8000) : value(next)), true);
      view.setUint32(0x1008 + 16 * n, next(20) ? 1 + next(3000) : value(next), true);
      view.setUint16(0x100c + 16 * n, next(6), true);
      view.setUint16(0x100e + 16 * n, next(9), true);
      view.setUint16(0x2004 + 2 * n, next(9), true);
    }
    for (let n = 0; n < 64; n++) bytes[0x8000 + next(0x8000)] = next(256);
    view.setUint16(0x2002, next(9), true);
    const index = next(5);
    device.wake = () => device.queueNotified(0, queue);
    try {
      device.queueNotified(index, queue);
      cable.each(next);
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
    }
  }
  assert.ok(cable.sent > 0);
});

test('SCSI commands', () => {
  const next = sequence(99);
  for (const target of [new ScsiDisk(drive('disk')), new ScsiCdrom(drive('cdrom'))])
    for (let round = 0; round < ROUNDS; round++) {
      const block = Uint8Array.from({ length: 32 }, () => value(next));
      const work = target.execute(block);
      if (work.kind === 'read' || work.kind === 'write') assert.ok(work.position + work.length <= RAM);
      else if (work.kind === 'wait') work.start(() => {});
      else if (work.kind === 'take')
        work.next(Uint8Array.from({ length: Math.min(work.length, 4096) }, () => next(256)));
    }
});

/** Random accesses to ports. */
function attackPorts(
  ports: PortBus,
  list: readonly number[],
  next: (below: number) => number,
  each: () => void = () => {},
): void {
  for (let round = 0; round < ROUNDS; round++) {
    const since = performance.now();
    const port = list[next(list.length)]!;
    const size = ([1, 1, 2, 4] as const)[next(4)]!;
    if (next(3) === 0) ports.read(port, size);
    else ports.write(port, value(next), size);
    each();
    assert.ok(performance.now() - since < SLOWEST_MS, `round ${round}`);
  }
}

test('IDE', () => {
  const { ram, ports, pci, next } = make();
  const ide = new IdeController([drive('disk'), undefined, drive('cdrom'), drive('disk')], ram, [
    () => {},
    () => {},
  ]);
  ide.attach(ports);
  pci.plug(1, 1, ide);
  ide.reset();
  ide.writeConfig(0x20, 0xc000, 4);
  ide.writeConfig(4, 5, 2);
  const places = [...Array(8).keys()].flatMap((n) => [0x1f0 + n, 0x170 + n]);
  attackPorts(ports, [...places, 0x1f7, 0x177, 0x3f6, 0xc000, 0xc002, 0xc004, 0xc008, 0xc00c], next);
});

test('floppy controller', () => {
  const { ram, ports, next } = make();
  const dma = new DmaControllers();
  dma.attach(ports);
  const floppy = new FloppyController([drive('floppy')], ram, dma, () => {});
  floppy.attach(ports);
  floppy.reset();
  attackPorts(
    ports,
    [0x3f2, 0x3f4, 0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f7, 0x04, 0x05, 0x0a, 0x0b, 0x0c, 0x81],
    next,
  );
});

test('firmware configuration and flash', () => {
  const { ram, ports, mmio, next } = make();
  const config = new FwCfg(ram, { items: new Map(), files: new Map([['file', new Uint8Array(100)]]) });
  config.attach(ports);
  attackPorts(ports, [0x510, 0x511, 0x514, 0x518, 0x518], next);
  mmio.map(BAR, 0x20000, new NorFlash(new Uint8Array(0x20000), () => {}));
  for (let round = 0; round < ROUNDS; round++) {
    mmio.write(BAR + next(0x20000 - 4), [0x10, 0x20, 0xd0, 0xe8, 0x70, 0x90, 0xff, next(256)][next(8)]!, 1);
    mmio.read(BAR + next(0x20000 - 4), 4);
  }
});

test('VGA: any registers show a picture', () => {
  const { ports, mmio, next } = make();
  const bytes = new Uint8Array(VGA_MEMORY_BYTES);
  const vga = new Vga(bytes, () => {}, new TestTime().clock);
  vga.attach(ports);
  vga.reset();
  mmio.map(0xa0000, 0x20000, vga.memory);
  const registers = [
    0x3c0, 0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3c8, 0x3c9, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da, 0x1ce, 0x1cf,
  ];
  let round = 0;
  attackPorts(ports, registers, next, () => {
    mmio.write(0xa0000 + next(0x20000 - 4), value(next), 4);
    mmio.read(0xa0000 + next(0x20000 - 4), 4);
    if (round++ % 100 !== 0) return;
    const { width, height, pixels } = picture(vga, round);
    assert.equal(pixels.length, width * height);
    screenLines(vga);
  });
});

test('BIOS services, with any registers and any stack', () => {
  const { ram, ports, mmio, next, bytes } = make();
  const time = new TestTime();
  const memory = new Uint8Array(VGA_MEMORY_BYTES);
  const vga = new Vga(memory, () => {}, time.clock);
  vga.attach(ports);
  vga.reset();
  mmio.map(0xa0000, 0x20000, vga.memory);
  const disk = {
    kind: 'disk' as const,
    name: 'disk',
    sectorBytes: 512,
    sectors: 2048,
    readOnly: false,
    takeChange: () => false,
    read: (_sector: number, count: number) => new Uint8Array(count * 512),
    write: () => true,
  };
  const bios = new Bios({
    ...{ ram, ports, mmio, clock: time.clock },
    drives: [disk, { ...disk, kind: 'cdrom', sectorBytes: 2048 }, { ...disk, kind: 'floppy', sectors: 2880 }],
    ...{ bootOrder: ['disk'], bootMenu: false, videoMemory: memory },
    ...{ networks: [], rest: () => {} },
  });
  bios.start();
  const view = new DataView(bytes.buffer);
  for (let round = 0; round < ROUNDS; round++) {
    const since = performance.now();
    const stack = next(20) === 0 ? next(0x10000) : 0x7000;
    for (let at = 0; at < 44 && stack + at < RAM - 4; at += 4) view.setUint32(stack + at, value(next), true);
    view.setUint16(
      stack + 36,
      [0x10, 0x10, 0x11, 0x12, 0x13, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1a][next(11)]!,
      true,
    );
    // AH as a function that there is, more often than not.
    view.setUint8(stack + 33, next(2) === 0 ? next(0x50) : value(next));
    if (next(3) === 0) view.setUint8(stack + 24, [0, 0x80, 0xe0][next(3)]!);
    ports.write(STACK_PORT, next(50) === 0 ? value(next) : 0, 2);
    ports.write(SERVICE_PORT, stack, 2);
    time.advance(1000);
    assert.ok(performance.now() - since < SLOWEST_MS, `round ${round}`);
  }
});
