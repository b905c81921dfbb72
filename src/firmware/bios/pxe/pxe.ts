/**
 * PXE: what programs that were started from the network call (Preboot Execution Environment 2.1, chapter 3). They do not reach the
 * card: the firmware has the end of its cable.
 */
import type { GuestRam } from '../../../machine/guest-ram.js';
import type { Progress } from '../../../machine/progress.js';
import * as B from '../bda.js';
import type { Frame } from '../frame.js';
import { TFTP_BLOCK, TFTP_PORT, type BiosDownload, type BiosLease, type BiosNetwork } from '../machine.js';
import type { PciConfig } from '../pci-config.js';
import { DONE, ROM_SEGMENT, SPIN, type Outcome, type Rom } from '../rom.js';
import { EBDA } from '../../boot/memory-map.js';
import { ParameterBlock } from './block.js';
import * as S from './status.js';
import { DATA_SEGMENT, PXE_BASE, PXE_KIB, PXE_SEGMENT, PXENV_OFFSET, pxeStructures } from './structures.js';
import { Undi } from './undi.js';

/** Bytes of the longest parameter block. */
const BLOCK_BYTES = 160;
/** Where in DATA_SEGMENT the messages of DHCP lie, and how long they may be. */
const DISCOVER_AT = 0x600;
const ACKNOWLEDGED_AT = 0x900;
const MESSAGE_BYTES = 0x300;
const NAME_BYTES = 128;
const INSTALLED = 0x564e;

// Packets of GET_CACHED_INFO
const CACHED_DISCOVER = 1;
const CACHED_REPLY = 3;

export class Pxe {
  private card: BiosNetwork | null = null;
  private lease: BiosLease | null = null;
  private udpOpen = false;
  private download: BiosDownload | null = null;
  /** Blocks of the download that the program has got. */
  private blocks = 0;
  /** A call that waits for the network. */
  private work: Progress<number> | null = null;
  private readonly undi: Undi;

  /** `rest`: lets the host bring what comes from outside, before the program asks again. */
  constructor(
    private readonly ram: GuestRam,
    private readonly rom: Rom,
    pci: PciConfig,
    private readonly rest: () => void,
  ) {
    this.undi = new Undi(pci, rest);
  }

  reset(): void {
    this.card = this.lease = this.download = this.work = null;
    this.udpOpen = false;
  }

  /** Makes ready for a program that was got by `card`. */
  install(card: BiosNetwork, lease: BiosLease): void {
    const { ram, rom } = this;
    this.reset();
    this.card = card;
    this.lease = lease;
    const entry = (name: string): { segment: number; offset: number } => ({
      segment: ROM_SEGMENT,
      offset: rom.offset(name),
    });
    ram.write(PXE_BASE, pxeStructures(entry('pxeEntry'), entry('pxenvEntry')));
    const data = DATA_SEGMENT * 16;
    ram.write(data + DISCOVER_AT, lease.discover.subarray(0, MESSAGE_BYTES));
    ram.write(data + ACKNOWLEDGED_AT, lease.acknowledged.subarray(0, MESSAGE_BYTES));
    ram.writeU16(B.BASE_KIB, EBDA / 1024 - PXE_KIB);
  }

  /** INT 1Ah, AX = 5650h: where PXENV+ is. false: nothing was started from the network. */
  announce(frame: Frame): boolean {
    if (!this.card) return false;
    frame.ax = INSTALLED;
    frame.es = PXE_SEGMENT;
    frame.bx = PXENV_OFFSET;
    frame.carry = false;
    return true;
  }

  /** By !PXE: the function and a far pointer to its block are on the stack. */
  callByStack(frame: Frame): Outcome {
    return this.call(frame, frame.pushed(2), frame.pushed(4) * 16 + frame.pushed(3));
  }
  /** By PXENV+: they are in BX and ES:DI. */
  callByRegisters(frame: Frame): Outcome {
    return this.call(frame, frame.bx, frame.es * 16 + frame.di);
  }

  private call(frame: Frame, number: number, at: number): Outcome {
    const { ram, card } = this;
    if (!card || !ram.contains(at, BLOCK_BYTES)) {
      frame.ax = 1;
      return DONE;
    }
    const block = new ParameterBlock(ram, at);
    let status: number;
    if (this.work) {
      const step = this.work.next();
      if (!step.done) return this.again();
      this.work = null;
      status = step.value;
    } else {
      const result = this.begin(number, card, block);
      if (typeof result !== 'number') {
        this.work = result;
        return this.call(frame, number, at);
      }
      status = result;
    }
    block.put16(0, status);
    frame.ax = status === S.SUCCESS ? 0 : 1;
    return DONE;
  }

  private again(): Outcome {
    this.rest();
    return SPIN;
  }

  private begin(number: number, card: BiosNetwork, block: ParameterBlock): number | Progress<number> {
    switch (number) {
      case 0x20:
        return this.openTftp(card, block);
      case 0x21:
        if (!this.download) return S.TFTP_CLOSED;
        this.download.close();
        this.download = null;
        return S.SUCCESS;
      case 0x22:
        return this.download ? this.readTftp(this.download, block) : S.TFTP_CLOSED;
      case 0x23:
        return this.readFile(card, block);
      case 0x25:
        return this.fileSize(card, block);
      case 0x30:
        this.udpOpen = true;
        return S.SUCCESS;
      case 0x31:
        this.udpOpen = false;
        return S.SUCCESS;
      case 0x32:
        return this.readUdp(card, block);
      case 0x33:
        return this.writeUdp(card, block);
      case 0x70: // UNLOAD_STACK
        card.close();
        return S.SUCCESS;
      case 0x71:
        return this.cachedInfo(block);
      case 0x75: // START_BASE
      case 0x76: // STOP_BASE
        return S.SUCCESS;
      default:
        return this.undi.call(number, card, block) ?? S.BAD_FUNCTION;
    }
  }

  private cachedInfo(block: ParameterBlock): number {
    const kind = block.u16(2);
    if (!this.lease || kind < CACHED_DISCOVER || kind > CACHED_REPLY) return S.UNSUPPORTED;
    const { discover, acknowledged } = this.lease;
    const [message, at] =
      kind === CACHED_DISCOVER ? [discover, DISCOVER_AT] : ([acknowledged, ACKNOWLEDGED_AT] as const);
    const stored = message.subarray(0, MESSAGE_BYTES);
    const wanted = block.u16(4);
    if (wanted === 0) {
      block.put16(4, stored.length);
      block.putFar(6, DATA_SEGMENT, at);
      block.put16(10, MESSAGE_BYTES);
      return S.SUCCESS;
    }
    const bytes = stored.subarray(0, wanted);
    if (!block.store(block.far(6), bytes)) return S.INVALID_PARAMETER;
    block.put16(4, bytes.length);
    return S.SUCCESS;
  }

  // ---- UDP

  private readUdp(card: BiosNetwork, block: ParameterBlock): number {
    if (!this.udpOpen) return S.UDP_CLOSED;
    const datagram = card.takeUdp(block.port(12));
    if (!datagram) {
      this.rest();
      return S.FAILURE;
    }
    const payload = datagram.payload.subarray(0, block.u16(14));
    if (!block.store(block.far(16), payload)) return S.INVALID_PARAMETER;
    block.put(2, datagram.address);
    block.put(6, datagram.destination);
    block.putPort(10, datagram.sourcePort);
    block.putPort(12, datagram.destinationPort);
    block.put16(14, payload.length);
    return S.SUCCESS;
  }

  private writeUdp(card: BiosNetwork, block: ParameterBlock): number {
    if (!this.udpOpen) return S.UDP_CLOSED;
    const [at, count] = [block.far(16), block.u16(14)];
    if (!block.ram.contains(at, count)) return S.INVALID_PARAMETER;
    // 0: a port of ours (the specification's 2069).
    const sourcePort = block.port(10) || 2069;
    card.sendUdp({
      address: block.bytes(2, 4),
      router: block.bytes(6, 4),
      sourcePort,
      destinationPort: block.port(12),
      payload: block.ram.read(at, count),
    });
    return S.SUCCESS;
  }

  // ---- TFTP

  private *openTftp(card: BiosNetwork, block: ParameterBlock): Progress<number> {
    if (this.download) return S.TFTP_OPEN;
    const source = {
      server: block.bytes(2, 4),
      file: block.text(10, NAME_BYTES),
      port: block.port(138) || TFTP_PORT,
      block: block.u16(140),
    };
    const download = yield* card.download(source);
    if (typeof download === 'string') return S.TFTP_CANNOT_OPEN;
    this.download = download;
    this.blocks = 0;
    block.put16(140, download.block);
    return S.SUCCESS;
  }

  private *readTftp(download: BiosDownload, block: ParameterBlock): Progress<number> {
    const bytes = yield* download.next();
    if (typeof bytes === 'string') return S.TFTP_CANNOT_READ;
    if (!block.store(block.far(6), bytes ?? new Uint8Array())) return S.INVALID_PARAMETER;
    if (bytes) this.blocks++;
    block.put16(2, this.blocks & 0xffff);
    block.put16(4, bytes?.length ?? 0);
    return S.SUCCESS;
  }

  private *readFile(card: BiosNetwork, block: ParameterBlock): Progress<number> {
    const source = {
      server: block.bytes(138, 4),
      file: block.text(2, NAME_BYTES),
      port: block.port(152) || TFTP_PORT,
      block: TFTP_BLOCK,
    };
    const [most, to] = [block.u32(130), block.u32(134)];
    const download = yield* card.download(source);
    if (typeof download === 'string') return S.TFTP_CANNOT_OPEN;
    let done = 0;
    for (let bytes = yield* download.next(); bytes !== null; bytes = yield* download.next()) {
      if (typeof bytes === 'string') return S.TFTP_CANNOT_READ;
      if (done + bytes.length > most || !block.store(to + done, bytes)) {
        download.close();
        return S.INVALID_PARAMETER;
      }
      done += bytes.length;
    }
    block.put32(130, done);
    return S.SUCCESS;
  }

  private *fileSize(card: BiosNetwork, block: ParameterBlock): Progress<number> {
    const source = {
      server: block.bytes(2, 4),
      file: block.text(10, NAME_BYTES),
      port: TFTP_PORT,
      block: TFTP_BLOCK,
    };
    const download = yield* card.download(source);
    if (typeof download === 'string') return S.TFTP_CANNOT_OPEN;
    download.close();
    if (download.size === null) return S.TFTP_NO_SIZE;
    block.put32(138, download.size);
    return S.SUCCESS;
  }
}
