/** UNDI: frames as they are (Preboot Execution Environment 2.1, 3.5). */
import { Frame as EthernetFrame } from '../../../machine/frame.js';
import type { BiosNetwork } from '../machine.js';
import type { PciConfig } from '../pci-config.js';
import type { ParameterBlock } from './block.js';
import * as S from './status.js';
import { DATA_SEGMENT } from './structures.js';

const MTU = 1500;
const MOST_FRAME = 1514;
const ETHERNET = 1;
const BUFFERS = 16;
const PCI_NIC = 2;
const SPEED = 1_000_000_000;
/** Broadcast, multicast, promiscuous, reset, open. */
const IFACE_FLAGS = 0x0001 | 0x0002 | 0x0008 | 0x0400 | 0x0800;
const TYPES: Record<number, number> = { 1: 0x0800, 2: 0x0806, 3: 0x8035 };
const MOST_BLOCKS = 8;

const ISR_START = 1;
const ISR_PROCESS = 2;
const ISR_GET_NEXT = 3;
const OUT_OURS = 0;
const OUT_NOT_OURS = 1;
const OUT_DONE = 0;
const OUT_TRANSMIT = 2;
const OUT_RECEIVE = 3;
const PACKET_DIRECTED = 0;
const PACKET_BROADCAST = 1;
const PACKET_MULTICAST = 2;

/** Where a frame lies that a program is told of, in DATA_SEGMENT. */
const FRAME_AT = 0;

export class Undi {
  /** Frames that were sent and that the program was not told of. */
  private sent = 0;
  private next: Uint8Array | null = null;

  constructor(
    private readonly pci: PciConfig,
    private readonly rest: () => void,
  ) {}

  /** Carries out a function of UNDI; null: it is none. */
  call(number: number, card: BiosNetwork, block: ParameterBlock): number | null {
    switch (number) {
      case 0x00: // START_UNDI
      case 0x01: // STARTUP
      case 0x02: // CLEANUP
      case 0x03: // INITIALIZE
      case 0x04: // RESET_ADAPTER
      case 0x09: // SET_MCAST_ADDRESS
      case 0x0b: // SET_PACKET_FILTER
      case 0x0e: // CLEAR_STATISTICS
        return S.SUCCESS;
      case 0x05: // SHUTDOWN
      case 0x15: // STOP_UNDI
        card.close();
        return S.SUCCESS;
      case 0x06: // OPEN
        card.raw = true;
        this.sent = 0;
        this.next = null;
        return S.SUCCESS;
      case 0x07: // CLOSE
        card.raw = false;
        return S.SUCCESS;
      case 0x08:
        return this.transmit(card, block);
      case 0x0c:
        return information(card, block);
      case 0x0d: // GET_STATISTICS
        for (let at = 2; at < 18; at += 4) block.put32(at, 0);
        return S.SUCCESS;
      case 0x11: {
        // The group's Ethernet address (RFC 1112, 6.4).
        const [, second = 0, third = 0, fourth = 0] = block.bytes(2, 4);
        block.put(6, Uint8Array.of(0x01, 0x00, 0x5e, second & 0x7f, third, fourth));
        return S.SUCCESS;
      }
      case 0x12:
        return this.nicType(card, block);
      case 0x13:
        block.put(
          2,
          Uint8Array.from('DIX+802.3'.padEnd(16, '\0'), (letter) => letter.charCodeAt(0)),
        );
        block.put32(18, SPEED);
        block.put32(22, IFACE_FLAGS);
        block.put(26, new Uint8Array(16));
        return S.SUCCESS;
      case 0x14:
        return this.interrupt(card, block);
      case 0x0a: // SET_STATION_ADDRESS
      case 0x0f: // INITIATE_DIAGS
      case 0x10: // FORCE_INTERRUPT
        return S.UNSUPPORTED;
      default:
        return null;
    }
  }

  private transmit(card: BiosNetwork, block: ParameterBlock): number {
    const { ram } = block;
    const [protocol, toAll, list] = [block.u8(2), block.u8(3) === 1, block.far(8)];
    const parts: Uint8Array[] = [];
    if (protocol !== 0) {
      const to = toAll ? new Uint8Array(6).fill(255) : block.far(4);
      const type = TYPES[protocol];
      if (type === undefined || (typeof to === 'number' && !ram.contains(to, 6))) return S.INVALID_PARAMETER;
      parts.push(
        typeof to === 'number' ? ram.read(to, 6) : to,
        card.mac,
        Uint8Array.of(type >> 8, type & 0xff),
      );
    }
    if (!ram.contains(list, 8 + 8 * MOST_BLOCKS)) return S.INVALID_PARAMETER;
    const far = (at: number): number => ram.readU16(at + 2) * 16 + ram.readU16(at);
    const pieces: [at: number, length: number][] = [[far(list + 2), ram.readU16(list)]];
    const count = ram.readU16(list + 6);
    if (count > MOST_BLOCKS) return S.INVALID_PARAMETER;
    for (let at = list + 8; at < list + 8 + 8 * count; at += 8)
      // Physical addresses, or far pointers.
      pieces.push([ram.readU8(at) === 0 ? ram.readU32(at + 4) : far(at + 4), ram.readU16(at + 2)]);
    for (const [at, length] of pieces) {
      if (length > MOST_FRAME || !ram.contains(at, length)) return S.INVALID_PARAMETER;
      parts.push(ram.read(at, length));
    }
    const frame = new EthernetFrame(parts).bytes;
    if (frame.length < 14 || frame.length > MOST_FRAME) return S.TRANSMIT_ERROR;
    card.send(frame);
    this.sent++;
    return S.SUCCESS;
  }

  /** There is no interrupt: programs ask, time and again. */
  private interrupt(card: BiosNetwork, block: ParameterBlock): number {
    const asked = block.u16(2);
    if (asked === ISR_START) {
      this.next ??= card.take();
      const any = this.sent > 0 || this.next !== null;
      if (!any) this.rest();
      block.put16(2, any ? OUT_OURS : OUT_NOT_OURS);
      return S.SUCCESS;
    }
    if (asked !== ISR_PROCESS && asked !== ISR_GET_NEXT) return S.INVALID_PARAMETER;
    if (this.sent > 0) {
      this.sent--;
      block.put16(2, OUT_TRANSMIT);
      return S.SUCCESS;
    }
    const frame = this.next ?? card.take();
    this.next = null;
    if (!frame || frame.length > MOST_FRAME) {
      block.put16(2, OUT_DONE);
      return S.SUCCESS;
    }
    block.ram.write(DATA_SEGMENT * 16 + FRAME_AT, frame);
    const all = frame.subarray(0, 6).every((byte) => byte === 255);
    const kind = all ? PACKET_BROADCAST : frame[0]! & 1 ? PACKET_MULTICAST : PACKET_DIRECTED;
    block.put16(2, OUT_RECEIVE);
    block.put16(4, frame.length);
    block.put16(6, frame.length);
    block.put16(8, 14);
    block.putFar(10, DATA_SEGMENT, FRAME_AT);
    const type = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
    const protocol = Object.entries(TYPES).find(([, value]) => value === type);
    block.put8(14, protocol ? Number(protocol[0]) : 4);
    block.put8(15, kind);
    return S.SUCCESS;
  }

  private nicType(card: BiosNetwork, block: ParameterBlock): number {
    const { pci } = this;
    const { place } = card;
    if (place === null) return S.UNSUPPORTED;
    block.put8(2, PCI_NIC);
    block.put16(3, pci.read(place, 0x00, 2));
    block.put16(5, pci.read(place, 0x02, 2));
    block.put8(7, pci.read(place, 0x0b, 1));
    block.put8(8, pci.read(place, 0x0a, 1));
    block.put8(9, pci.read(place, 0x09, 1));
    block.put8(10, pci.read(place, 0x08, 1));
    block.put16(11, place);
    block.put16(13, pci.read(place, 0x2c, 2));
    block.put16(15, pci.read(place, 0x2e, 2));
    return S.SUCCESS;
  }
}

function information(card: BiosNetwork, block: ParameterBlock): number {
  block.put(2, new Uint8Array(48));
  block.put16(6, MTU);
  block.put16(8, ETHERNET);
  block.put16(10, 6);
  block.put(12, card.mac);
  block.put(28, card.mac);
  block.put16(46, BUFFERS);
  block.put16(48, BUFFERS);
  return S.SUCCESS;
}
