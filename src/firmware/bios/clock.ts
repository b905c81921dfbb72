/** INT 8 and INT 1Ah: the time of day (IBM PS/2 and PC BIOS interface technical reference, "INT 1AH"). */
import type { GuestRam } from '../../machine/guest-ram.js';
import * as B from './bda.js';
import type { Cmos } from './cmos.js';
import type { Frame } from './frame.js';

const SECONDS = 0x00;
const MINUTES = 0x02;
const HOURS = 0x04;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const STATUS_A = 0x0a;
const STATUS_B = 0x0b;
const CENTURY = 0x32;
const UPDATING = 0x80;
const SET = 0x80;
const ALARM = 0x20;
const TICKS_A_DAY = 0x1800b0;
/** The counter's input divided by 65536. */
const TICKS_A_SECOND = 1193182 / 65536;

const fromBcd = (value: number): number => (value >> 4) * 10 + (value & 0x0f);

export class ClockService {
  constructor(
    private readonly ram: GuestRam,
    private readonly cmos: Cmos,
  ) {}

  /** The ticks since midnight from the real-time clock. */
  reset(): void {
    const [hours, minutes, seconds] = [HOURS, MINUTES, SECONDS].map((register) =>
      fromBcd(this.cmos.read(register)),
    );
    const time = hours! * 3600 + minutes! * 60 + seconds!;
    this.ram.writeU32(B.TICKS, Math.floor(time * TICKS_A_SECOND));
    this.ram.writeU8(B.TICKS_MIDNIGHT, 0);
  }

  /** INT 8: 18.2 times a second. */
  tick(): void {
    const { ram } = this;
    const ticks = ram.readU32(B.TICKS) + 1;
    ram.writeU32(B.TICKS, ticks >= TICKS_A_DAY ? 0 : ticks);
    if (ticks >= TICKS_A_DAY) ram.writeU8(B.TICKS_MIDNIGHT, 1);
  }

  /** false: there is no such function. */
  call(frame: Frame): boolean {
    const { ram, cmos } = this;
    frame.carry = false;
    switch (frame.ah) {
      case 0x00: {
        const ticks = ram.readU32(B.TICKS);
        frame.cx = ticks >>> 16;
        frame.dx = ticks & 0xffff;
        frame.al = ram.readU8(B.TICKS_MIDNIGHT);
        ram.writeU8(B.TICKS_MIDNIGHT, 0);
        return true;
      }
      case 0x01:
        ram.writeU32(B.TICKS, ((frame.cx << 16) | frame.dx) >>> 0);
        ram.writeU8(B.TICKS_MIDNIGHT, 0);
        return true;
      case 0x02:
        frame.carry = (cmos.read(STATUS_A) & UPDATING) !== 0;
        frame.ch = cmos.read(HOURS);
        frame.cl = cmos.read(MINUTES);
        frame.dh = cmos.read(SECONDS);
        frame.dl = cmos.read(STATUS_B) & 1;
        return true;
      case 0x03:
        return this.set([
          [HOURS, frame.ch],
          [MINUTES, frame.cl],
          [SECONDS, frame.dh],
        ]);
      case 0x04:
        frame.carry = (cmos.read(STATUS_A) & UPDATING) !== 0;
        frame.ch = cmos.read(CENTURY) || 0x20;
        frame.cl = cmos.read(YEAR);
        frame.dh = cmos.read(MONTH);
        frame.dl = cmos.read(DAY);
        return true;
      case 0x05:
        return this.set([
          [CENTURY, frame.ch],
          [YEAR, frame.cl],
          [MONTH, frame.dh],
          [DAY, frame.dl],
        ]);
      case 0x07:
        cmos.write(STATUS_B, cmos.read(STATUS_B) & ~ALARM);
        return true;
      default:
        return false;
    }
  }

  private set(registers: [register: number, value: number][]): boolean {
    const { cmos } = this;
    const status = cmos.read(STATUS_B);
    cmos.write(STATUS_B, status | SET);
    for (const [register, value] of registers) cmos.write(register, value);
    cmos.write(STATUS_B, status & ~SET);
    return true;
  }
}
