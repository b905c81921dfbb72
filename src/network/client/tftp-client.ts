/** A TFTP client (RFC 1350; options RFC 2347 to 2349). */
import { put16, u16 } from '../ethernet.js';
import { sameBytes, type IpAddress } from '../ip-address.js';
import { TFTP_ACK, TFTP_DATA, TFTP_ERROR, TFTP_OPTIONS, TFTP_READ, tftpError } from '../nat/tftp.js';
import type { Datagram } from '../nat/udp.js';
import type { Progress } from '../../machine/progress.js';
import type { UdpHost } from './udp-host.js';

const RESEND_MS = 1000;
const MOST_SENDS = 6;
const DEFAULT_BLOCK = 512;

export interface TftpSource {
  readonly server: IpAddress;
  readonly port: number;
  readonly file: string;
  /** Wanted bytes in a block; servers may give smaller ones. */
  readonly block: number;
}

/** A file that is being read, block after block. */
export class TftpDownload {
  block = DEFAULT_BLOCK;
  /** Bytes of the file, where the server says so. */
  size: number | null = null;
  /** The server's, once it has answered. */
  private port: number | null = null;
  private number = 0;
  private last = false;
  private first: Uint8Array | null = null;
  private packet: Uint8Array;

  /** `inbox`: what comes for `ownPort`. */
  constructor(
    private readonly host: UdpHost,
    private readonly source: TftpSource,
    private readonly ownPort: number,
    private readonly inbox: () => Datagram | null,
    private readonly now: () => number,
  ) {
    const { file, block } = source;
    const fields = [
      file,
      'octet',
      'tsize',
      '0',
      ...(block > DEFAULT_BLOCK ? ['blksize', String(block)] : []),
    ];
    const text = new TextEncoder().encode(fields.join('\0') + '\0');
    this.packet = Uint8Array.of(0, TFTP_READ, ...text);
  }

  /** Asks for the file; a text says why it cannot be had. */
  *open(): Progress<string | null> {
    const answer = yield* this.exchange();
    if (typeof answer === 'string') return answer;
    if (u16(answer, 0) === TFTP_OPTIONS) this.takeOptions(answer);
    else this.take(answer);
    return null;
  }

  private takeOptions(answer: Uint8Array): void {
    const fields = new TextDecoder().decode(answer.subarray(2)).split('\0');
    for (let n = 0; n + 1 < fields.length; n += 2) {
      const value = Number(fields[n + 1]);
      if (fields[n]!.toLowerCase() === 'blksize' && value >= 8 && value <= this.source.block)
        this.block = value;
      if (fields[n]!.toLowerCase() === 'tsize' && value >= 0) this.size = value;
    }
    this.acknowledge();
  }

  private acknowledge(): void {
    this.packet = new Uint8Array(4);
    put16(this.packet, 0, TFTP_ACK);
    put16(this.packet, 2, this.number & 0xffff);
  }

  private take(answer: Uint8Array): void {
    this.number++;
    this.first = answer.subarray(4);
    this.last = this.first.length < this.block;
    this.acknowledge();
    if (this.last) this.send();
  }

  /** The next block; null: there was none after the last; a text: what went wrong. */
  *next(): Progress<Uint8Array | null | string> {
    if (!this.first) {
      if (this.last) return null;
      const answer = yield* this.exchange();
      if (typeof answer === 'string') return answer;
      this.take(answer);
    }
    const bytes = this.first!;
    this.first = null;
    return bytes;
  }

  /** Ends it before its end. */
  close(): void {
    if (this.last || this.port === null) return;
    this.packet = tftpError(0, 'enough');
    this.send();
    this.last = true;
  }

  private send(): void {
    const { source, port, ownPort, packet } = this;
    this.host.send({
      destination: source.server,
      sourcePort: ownPort,
      destinationPort: port ?? source.port,
      payload: packet,
    });
  }

  /** Sends the packet until what follows it comes: the next block, or the options first. */
  private *exchange(): Progress<Uint8Array | string> {
    for (let sends = 0; sends < MOST_SENDS; sends++) {
      this.send();
      const end = this.now() + RESEND_MS;
      while (this.now() < end) {
        const datagram = this.inbox();
        if (!datagram) {
          this.host.tick();
          yield;
          continue;
        }
        const answer = this.accept(datagram);
        if (answer !== null) return answer;
      }
    }
    return 'the server does not answer';
  }

  private accept({ source, sourcePort, payload }: Datagram): Uint8Array | string | null {
    if (!sameBytes(source, this.source.server) || payload.length < 4) return null;
    // The server answers from a port that it chooses, which stays.
    if (this.port !== null && sourcePort !== this.port) return null;
    const kind = u16(payload, 0);
    if (kind === TFTP_ERROR) return new TextDecoder().decode(payload.subarray(4)).split('\0')[0]!;
    const isNext = kind === TFTP_DATA && u16(payload, 2) === ((this.number + 1) & 0xffff);
    const isFirst = kind === TFTP_OPTIONS && this.port === null;
    if (!isNext && !isFirst) return null;
    this.port = sourcePort;
    return payload;
  }
}
