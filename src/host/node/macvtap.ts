/**
 * A network interface of the host's, through a macvtap device (Linux, Documentation/networking/tuntap.rst): a character device
 * that gives and takes frames, each behind a header of virtio's (include/uapi/linux/virtio_net.h).
 */
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../machine/user-error.js';
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, MOST_FRAME_BYTES, type OffloadAbilities } from '../../machine/frame.js';

const HEADER_BYTES = 10;
const NEEDS_CSUM = 1;
const GSO = { none: 0, tcp4: 1, udp: 3, tcp6: 4 };
const LEAST_FRAME = 14;
/** Frames that are read at once, at most; and milliseconds between looks. */
const MOST_FRAMES = 256;
const BUSY_MS = 1;
const IDLE_MS = 4;
const IDLE_POLLS = 100;
const CLASS = '/sys/class/net';

/** Commands that give the user a device of this name on an interface. */
function commands(name: string, parent: string): string {
  return [
    `  sudo ip link add link ${parent} name ${name} type macvtap mode bridge`,
    `  sudo ip link set ${name} up allmulticast on`,
    `  sudo chown $USER /dev/tap$(cat ${CLASS}/${name}/ifindex)`,
  ].join('\n');
}

export class Macvtap implements Station {
  readonly abilities: OffloadAbilities = { checksum: true, tcp4: true, tcp6: true, udp: false };
  private readonly buffer = new Uint8Array(HEADER_BYTES + MOST_FRAME_BYTES);
  private timer: NodeJS.Timeout | null = null;
  private idle = 0;

  private constructor(
    private readonly descriptor: number,
    private readonly cable: Cable,
  ) {}

  /** The Ethernet address that the interface takes frames for; a card that is behind it wants the same. */
  static addressOf(option: string, name: string): string {
    if (!/^[\w.-]{1,15}$/.test(name)) throw new UserError(`${option}: "${name}" is no name of an interface`);
    if (!existsSync(join(CLASS, name))) {
      throw new UserError(
        `${option}: there is no interface ${name}; make it, with the rights of root (eth0 being the interface that leads out):\n${commands(name, 'eth0')}`,
      );
    }
    if (!existsSync(join(CLASS, name, 'macvtap')))
      throw new UserError(
        `${option}: ${name} is no macvtap interface; make one beside it, with the rights of root, and name that:\n${commands('viv0', name)}`,
      );
    return readFileSync(join(CLASS, name, 'address'), 'latin1').trim();
  }

  static open(option: string, name: string, cable: Cable): Macvtap {
    Macvtap.addressOf(option, name);
    const device = `/dev/tap${readFileSync(join(CLASS, name, 'ifindex'), 'latin1').trim()}`;
    let descriptor;
    try {
      descriptor = openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const what =
        code === 'EACCES' || code === 'EPERM'
          ? `you may not use it; run, with the rights of root:\n  sudo chown $USER ${device}`
          : (error as Error).message;
      throw new UserError(`${option}: ${device} of ${name}: ${what}`);
    }
    const tap = new Macvtap(descriptor, cable);
    cable.plug(tap);
    tap.poll();
    return tap;
  }

  /** Node cannot wait for such a device: it is asked, again and again, more seldom while nothing comes. */
  private poll(): void {
    let frames = 0;
    while (frames < MOST_FRAMES && this.readOne()) frames++;
    if (frames > 0) this.cable.flush();
    this.idle = frames > 0 ? 0 : this.idle + 1;
    this.timer = setTimeout(() => this.poll(), this.idle > IDLE_POLLS ? IDLE_MS : BUSY_MS);
    this.timer.unref();
  }

  /** false: nothing is there. */
  private readOne(): boolean {
    let bytes;
    try {
      bytes = readSync(this.descriptor, this.buffer);
    } catch {
      return false;
    }
    if (bytes < HEADER_BYTES + LEAST_FRAME) return true;
    const header = new DataView(this.buffer.buffer);
    const offload = {
      checksumStart: header.getUint16(6, true),
      checksumOffset: header.getUint16(8, true),
      segmentation: 'none' as const,
      segmentBytes: 0,
    };
    this.cable.send(
      Frame.of(this.buffer.subarray(HEADER_BYTES, bytes), this.buffer[0]! & NEEDS_CSUM ? offload : null),
    );
    return true;
  }

  receive(frame: Frame): boolean {
    const bytes = new Uint8Array(HEADER_BYTES + frame.length);
    const { offload } = frame;
    if (offload) {
      const view = new DataView(bytes.buffer);
      bytes[0] = NEEDS_CSUM;
      bytes[1] = GSO[offload.segmentation];
      view.setUint16(2, Math.min(frame.length, offload.checksumStart + 20), true);
      view.setUint16(4, offload.segmentation === 'none' ? 0 : offload.segmentBytes, true);
      view.setUint16(6, offload.checksumStart, true);
      view.setUint16(8, offload.checksumOffset, true);
    }
    frame.copyTo(bytes, HEADER_BYTES);
    try {
      writeSync(this.descriptor, bytes);
    } catch {
      // The interface is down, or has no room: as on a wire, the frame is lost.
    }
    return true;
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    closeSync(this.descriptor);
  }
}
