/** INT 14h: serial ports (IBM PS/2 and PC BIOS interface technical reference, "INT 14H"). */
import type { GuestRam } from '../../machine/guest-ram.js';
import type { PortBus } from '../../machine/port-bus.js';
import * as B from './bda.js';
import type { Frame } from './frame.js';

const LINE_CONTROL = 3;
const MODEM_CONTROL = 4;
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const DIVISOR_ACCESS = 0x80;
const DATA_READY = 0x01;
const ROOM = 0x20;
const TIMED_OUT = 0x80;
const BAUD = [110, 150, 300, 600, 1200, 2400, 4800, 9600];
const CLOCK = 115200;

export function serialService(frame: Frame, ram: GuestRam, ports: PortBus): void {
  const base = frame.dx < 4 ? ram.readU16(B.COM_PORTS + 2 * frame.dx) : 0;
  if (base === 0) return;
  const read = (register: number): number => ports.read(base + register, 1);
  const write = (register: number, value: number): void => ports.write(base + register, value, 1);
  switch (frame.ah) {
    case 0x00: {
      const divisor = Math.round(CLOCK / BAUD[frame.al >> 5]!);
      write(LINE_CONTROL, DIVISOR_ACCESS);
      write(0, divisor & 0xff);
      write(1, divisor >> 8);
      write(LINE_CONTROL, frame.al & 0x1f);
      write(MODEM_CONTROL, 3);
      frame.ax = (read(LINE_STATUS) << 8) | read(MODEM_STATUS);
      return;
    }
    case 0x01:
      if (read(LINE_STATUS) & ROOM) write(0, frame.al);
      frame.ah = read(LINE_STATUS) & 0x7f;
      return;
    case 0x02:
      if (read(LINE_STATUS) & DATA_READY) {
        frame.al = read(0);
        frame.ah = read(LINE_STATUS) & 0x1e;
      } else frame.ah = TIMED_OUT;
      return;
    case 0x03:
      frame.ax = (read(LINE_STATUS) << 8) | read(MODEM_STATUS);
  }
}
