/** INT 15h: memory, A20, waiting and what the machine is (IBM PS/2 and PC BIOS interface technical reference; ACPI 5.0, chapter 15). */
import type { Clock } from '../../machine/clock.js';
import type { GuestRam } from '../../machine/guest-ram.js';
import type { PortBus } from '../../machine/port-bus.js';
import { EBDA, pcMemoryMap } from '../boot/memory-map.js';
import { ApmService } from './apm-service.js';
import type { Frame } from './frame.js';
import { MouseService } from './mouse-service.js';
import { AGAIN, DONE, ROM_SEGMENT, SPIN, type Outcome, type Rom } from './rom.js';

const PORT_92 = 0x92;
const A20 = 0x02;
const KEYBOARD_COMMAND = 0x64;
const KEYBOARD_DATA = 0x60;
const WRITE_OUTPUT_PORT = 0xd1;
const OUTPUT_PORT_WITHOUT_A20 = 0xdd;
const SMAP = 0x534d4150;
const RANGE_BYTES = 20;
const MIB = 2 ** 20;
const KIB = 1024;
/** Longer waits sleep until the next tick of the timer. */
const TICK_NS = 55e6;
const EVENT_PASSED = 0x80;

export class SystemService {
  /** When the wait that is under way ends. */
  private deadline: number | null = null;
  /** INT 15h, AH = 83h: when a byte gets its bit, and where that byte is. */
  private event: { time: number; at: number } | null = null;
  private readonly apm: ApmService;
  readonly mouse: MouseService;

  constructor(
    private readonly machine: { ram: GuestRam; ports: PortBus; clock: Clock },
    private readonly rom: Rom,
  ) {
    this.apm = new ApmService(machine.ports);
    this.mouse = new MouseService(machine.ram, machine.ports);
  }

  reset(): void {
    this.deadline = null;
    this.event = null;
    this.apm.reset();
    this.mouse.reset();
  }

  /** The timer's interrupt. */
  tick(): void {
    const { event } = this;
    if (!event || this.machine.clock.now() < event.time) return;
    this.event = null;
    const { ram } = this.machine;
    ram.writeU8(event.at, ram.readU8(event.at) | EVENT_PASSED);
  }

  call(frame: Frame): Outcome {
    switch (frame.ah) {
      case 0x24:
        this.a20(frame);
        return DONE;
      case 0x4f:
        // Nobody changes the scan code: what INT 9 asks is answered with carry as it was.
        return DONE;
      case 0x53:
        return this.apm.call(frame);
      case 0x83:
        this.waitForEvent(frame);
        return DONE;
      case 0x80:
      case 0x81:
      case 0x82:
      case 0x90:
      case 0x91:
        frame.ah = 0;
        frame.carry = false;
        return DONE;
      case 0x86:
        return this.wait(frame);
      case 0x87:
        this.move(frame);
        return DONE;
      case 0x88:
        frame.ax = Math.min(0xffff, this.extendedKib);
        frame.carry = false;
        return DONE;
      case 0xc0:
        frame.es = ROM_SEGMENT;
        frame.bx = this.rom.offset('configuration');
        frame.ah = 0;
        frame.carry = false;
        return DONE;
      case 0xc1:
        frame.es = EBDA >> 4;
        frame.carry = false;
        return DONE;
      case 0xc2:
        this.mouse.call(frame);
        return DONE;
      case 0xe8:
        this.memory(frame);
        return DONE;
      default:
        frame.unsupported();
        return DONE;
    }
  }

  private get extendedKib(): number {
    return Math.max(0, this.machine.ram.lowBytes - MIB) / KIB;
  }

  private a20(frame: Frame): void {
    const { ports } = this.machine;
    const control = ports.read(PORT_92, 1);
    frame.carry = false;
    switch (frame.al) {
      case 0x00:
      case 0x01:
        ports.write(PORT_92, frame.al ? control | A20 : control & ~A20, 1);
        // The keyboard controller's gate is another way around: it is off from now on.
        ports.write(KEYBOARD_COMMAND, WRITE_OUTPUT_PORT, 1);
        ports.write(KEYBOARD_DATA, OUTPUT_PORT_WITHOUT_A20, 1);
        break;
      case 0x02:
        frame.al = control & A20 ? 1 : 0;
        break;
      case 0x03:
        // By the keyboard controller and by port 92.
        frame.bx = 3;
        break;
      default:
        return frame.unsupported();
    }
    frame.ah = 0;
  }

  /** So many microseconds. */
  private wait(frame: Frame): Outcome {
    const now = this.machine.clock.now();
    this.deadline ??= now + ((frame.cx << 16) | frame.dx) * 1000;
    const left = this.deadline - now;
    if (left > 0) return left > TICK_NS ? AGAIN : SPIN;
    this.deadline = null;
    frame.ah = 0;
    frame.carry = false;
    return DONE;
  }

  /** Sets a bit of a byte after so many microseconds, or does not any more. */
  private waitForEvent(frame: Frame): void {
    const { clock, ram } = this.machine;
    const at = frame.es * 16 + frame.bx;
    const taken = frame.al === 0 && this.event !== null;
    if (frame.al > 1 || taken || (frame.al === 0 && !ram.contains(at, 1))) return frame.unsupported();
    this.event = frame.al === 1 ? null : { time: clock.now() + (frame.cx * 0x10000 + frame.dx) * 1000, at };
    frame.ah = 0;
    frame.carry = false;
  }

  /** Moves words between any two places below 4 GiB, which a table of descriptors names. */
  private move(frame: Frame): void {
    const { ram } = this.machine;
    const table = frame.es * 16 + frame.si;
    const length = frame.cx * 2;
    const base = (descriptor: number): number =>
      (ram.readU16(descriptor + 2) |
        (ram.readU8(descriptor + 4) << 16) |
        (ram.readU8(descriptor + 7) << 24)) >>>
      0;
    const [from, to] = ram.contains(table, 0x30) ? [base(table + 0x10), base(table + 0x18)] : [-1, -1];
    const fits = ram.contains(from, length) && ram.contains(to, length);
    if (fits) ram.write(to, ram.read(from, length));
    frame.ah = fits ? 0 : 2;
    frame.carry = !fits;
    frame.zero = fits;
  }

  private memory(frame: Frame): void {
    if (frame.al === 0x01) {
      const below = Math.min(this.extendedKib, 15 * KIB);
      const above = Math.min(
        0xffff,
        Math.floor(Math.max(0, this.machine.ram.lowBytes - 16 * MIB) / (64 * KIB)),
      );
      frame.ax = frame.cx = below;
      frame.bx = frame.dx = above;
      frame.carry = false;
    } else if (frame.al === 0x20 && frame.edx === SMAP) this.memoryMap(frame);
    else frame.unsupported();
  }

  private memoryMap(frame: Frame): void {
    const { ram } = this.machine;
    const map = pcMemoryMap({ lowBytes: ram.lowBytes, highBytes: ram.highBytes });
    const range = map[frame.ebx];
    const at = frame.es * 16 + frame.di;
    if (!range || frame.ecx < RANGE_BYTES || !ram.contains(at, RANGE_BYTES)) return frame.unsupported();
    ram.writeU64(at, BigInt(range.start));
    ram.writeU64(at + 8, BigInt(range.length));
    ram.writeU32(at + 16, range.type);
    frame.ebx = frame.ebx + 1 < map.length ? frame.ebx + 1 : 0;
    frame.eax = SMAP;
    frame.ecx = RANGE_BYTES;
    frame.carry = false;
  }
}
