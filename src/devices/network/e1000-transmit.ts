/** What an 8254x sends: descriptors (8254x manual, 3.3) and the frames that they describe. */
import { finish, sum } from '../../machine/checksum.js';
import { Frame, MOST_FRAME_BYTES, type Offload } from '../../machine/frame.js';
import type { GuestRam } from '../../machine/guest-ram.js';

export const DESCRIPTOR_BYTES = 16;

// Command bits, in the top byte of the third word
const EOP = 0x01;
const IC = 0x04;
const TSE = 0x04;
const RS = 0x08;
const DEXT = 0x20;
const VLE = 0x40;
const TYPE_CONTEXT = 0;
// Options of data descriptors
const IXSM = 0x01;
const TXSM = 0x02;
// TUCMD
const TUCMD_IPV4 = 0x02;
const DD = 0x01;

const MOST_PARTS = 256;

interface Context {
  ipStart: number;
  ipOffset: number;
  ipEnd: number;
  tcpStart: number;
  tcpOffset: number;
  headerBytes: number;
  segmentBytes: number;
  ipv4: boolean;
}

/** Puts frames together from descriptors, one after the other. */
export class E1000Transmit {
  private context: Context = {
    ipStart: 0,
    ipOffset: 0,
    ipEnd: 0,
    tcpStart: 0,
    tcpOffset: 0,
    headerBytes: 0,
    segmentBytes: 0,
    ipv4: true,
  };
  /** Of the frame that has begun; the guest's memory. */
  private parts: Uint8Array[] = [];
  private length = 0;
  private options = 0;
  private segment = false;
  private checksum: { start: number; offset: number } | null = null;

  constructor(
    private readonly ram: GuestRam,
    private readonly send: (frame: Frame) => void,
  ) {}

  reset(): void {
    this.begin();
  }
  private begin(): void {
    this.parts = [];
    this.length = this.options = 0;
    this.segment = false;
    this.checksum = null;
  }

  /** Takes the descriptor at this address. true: the driver wants to be told when it is done. */
  take(at: number): boolean {
    const { ram } = this;
    const low = ram.readU32(at + 8);
    const high = ram.readU32(at + 12);
    const command = low >>> 24;
    if (command & DEXT && ((low >> 20) & 15) === TYPE_CONTEXT) this.takeContext(ram.readU64(at), low, high);
    else this.takeData(ram.readAddress(at), low, high, command);
    if (!(command & RS)) return false;
    ram.writeU32(at + 12, (high | DD) >>> 0);
    return true;
  }

  private takeContext(first: bigint, low: number, high: number): void {
    const byte = (n: number): number => Number((first >> BigInt(8 * n)) & 0xffn);
    this.context = {
      ipStart: byte(0),
      ipOffset: byte(1),
      ipEnd: byte(2) | (byte(3) << 8),
      tcpStart: byte(4),
      tcpOffset: byte(5),
      headerBytes: (high >>> 8) & 0xff,
      segmentBytes: high >>> 16,
      ipv4: ((low >>> 24) & TUCMD_IPV4) !== 0,
    };
  }

  private takeData(address: number, low: number, high: number, command: number): void {
    const extended = (command & DEXT) !== 0;
    const bytes = extended ? low & 0xfffff : low & 0xffff;
    if (this.parts.length === 0) {
      this.options = extended ? (high >>> 8) & 0xff : 0;
      this.segment = extended && (command & TSE) !== 0;
      if (!extended && command & IC)
        this.checksum = { start: (high >>> 8) & 0xff, offset: (low >>> 16) & 0xff };
    }
    // What lies outside of memory, or is too long, spoils the frame.
    const fits =
      this.length + bytes <= MOST_FRAME_BYTES &&
      this.parts.length < MOST_PARTS &&
      this.ram.contains(address, bytes);
    if (bytes > 0 && fits) this.parts.push(this.ram.view(address, bytes));
    this.length += fits ? bytes : MOST_FRAME_BYTES + 1;
    if (!(command & EOP)) return;
    if (this.length <= MOST_FRAME_BYTES && this.length > 0) this.finish(command & VLE ? high >>> 16 : null);
    this.begin();
  }

  /** `tag`: to be put in, or null. */
  private finish(tag: number | null): void {
    const { context, options } = this;
    let frame = new Frame(this.parts);
    let offload: Offload | null = null;
    if (this.segment) {
      if (context.segmentBytes === 0 || context.headerBytes === 0 || context.headerBytes > frame.length)
        return;
      frame = this.withHeader(frame, context.headerBytes, (header) =>
        completeHeader(header, context, frame.length),
      );
      offload = {
        checksumStart: context.tcpStart,
        checksumOffset: context.tcpOffset - context.tcpStart,
        segmentation: context.ipv4 ? 'tcp4' : 'tcp6',
        segmentBytes: context.segmentBytes,
      };
    } else {
      if (options & IXSM && context.ipEnd > context.ipStart)
        frame = this.withHeader(frame, context.ipEnd + 1, (header) =>
          putChecksum(header, context.ipStart, context.ipEnd + 1, context.ipOffset),
        );
      if (options & TXSM) offload = plainOffload(context.tcpStart, context.tcpOffset);
      else if (this.checksum) offload = plainOffload(this.checksum.start, this.checksum.offset);
    }
    if (
      offload &&
      (offload.checksumOffset < 0 || offload.checksumStart + offload.checksumOffset + 2 > frame.length)
    )
      offload = null;
    const whole = new Frame(frame.parts, offload);
    this.send(tag === null ? whole : whole.tagged(tag));
  }

  /** The frame with its first bytes changed. */
  private withHeader(frame: Frame, bytes: number, change: (header: Uint8Array) => void): Frame {
    const header = frame.head(bytes).slice(0, bytes);
    if (header.length < bytes) return frame;
    change(header);
    return new Frame([header, ...frame.range(bytes)]);
  }

  save(): object {
    return { context: { ...this.context } };
  }
  load(state: object): void {
    this.context = { ...(state as { context: Context }).context };
    this.begin();
  }
}

function plainOffload(start: number, offset: number): Offload {
  return { checksumStart: start, checksumOffset: offset - start, segmentation: 'none', segmentBytes: 0 };
}

function putChecksum(bytes: Uint8Array, start: number, end: number, at: number): void {
  if (at + 2 > bytes.length || end > bytes.length) return;
  bytes[at] = bytes[at + 1] = 0;
  const value = finish(sum(bytes, start, end));
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

/** Drivers leave lengths out of the headers of what is cut; others that take the frame whole need them there. */
function completeHeader(
  header: Uint8Array,
  { ipStart, ipOffset, ipEnd, tcpStart, tcpOffset, ipv4 }: Context,
  length: number,
): void {
  const put16 = (at: number, value: number): void => {
    if (at + 2 > header.length) return;
    header[at] = value >> 8;
    header[at + 1] = value;
  };
  if (ipv4) {
    put16(ipStart + 2, length - ipStart);
    putChecksum(header, ipStart, Math.min(ipEnd + 1, header.length), ipOffset);
  } else put16(ipStart + 4, length - ipStart - 40);
  // The sum that is there lacks the length.
  const before = tcpOffset + 2 <= header.length ? (header[tcpOffset]! << 8) | header[tcpOffset + 1]! : 0;
  const total = before + length - tcpStart;
  put16(tcpOffset, (total & 0xffff) + (total >>> 16));
}
