/** A TFTP server (RFC 1350; options RFC 2347 to 2349) that only gives files. */
import { put16, u16 } from '../ethernet.js';
import type { Timers } from '../timers.js';

export const TFTP_READ = 1;
const TFTP_WRITE = 2;
export const TFTP_DATA = 3;
export const TFTP_ACK = 4;
export const TFTP_ERROR = 5;
export const TFTP_OPTIONS = 6;

const NOT_FOUND = 1;
const ACCESS = 2;
const ILLEGAL = 4;

const BLOCK = 512;
const MOST_BLOCK = 1428;
const RESEND_MS = 1000;
const MOST_RESENDS = 5;
const MOST_TRANSFERS = 64;

/** Files that guests may read; null: there is none of that name. */
export interface TftpFiles {
  read(name: string): Uint8Array | null;
}

interface Transfer {
  readonly file: Uint8Array;
  readonly block: number;
  /** The last packet, and its number; 0: the answer to options. */
  packet: Uint8Array;
  number: number;
  resends: number;
  cancel: () => void;
}

export class TftpServer {
  private readonly transfers = new Map<string, Transfer>();

  constructor(
    private readonly files: TftpFiles,
    private readonly timers: Timers,
  ) {}

  /** A packet of a client, who is known by `key`; `send` answers it. */
  receive(key: string, packet: Uint8Array, send: (bytes: Uint8Array) => void): void {
    if (packet.length < 4) return;
    switch (u16(packet, 0)) {
      case TFTP_READ:
        return this.begin(key, packet, send);
      case TFTP_WRITE:
        return send(tftpError(ACCESS, 'files can only be read'));
      case TFTP_ACK:
        return this.acknowledged(key, u16(packet, 2), send);
      case TFTP_ERROR:
        return this.end(key);
      default:
        return send(tftpError(ILLEGAL, 'not an operation of TFTP'));
    }
  }

  private begin(key: string, packet: Uint8Array, send: (bytes: Uint8Array) => void): void {
    this.end(key);
    const [name, , ...options] = new TextDecoder().decode(packet.subarray(2)).split('\0');
    if (name === undefined || name === '') return send(tftpError(ILLEGAL, 'no file is named'));
    const file = this.files.read(name);
    if (!file) return send(tftpError(NOT_FOUND, `there is no ${name}`));
    if (this.transfers.size >= MOST_TRANSFERS) this.end(this.transfers.keys().next().value!);
    let block = BLOCK;
    const accepted: string[] = [];
    for (let n = 0; n + 1 < options.length; n += 2) {
      const [option, value] = [options[n]!.toLowerCase(), Number(options[n + 1])];
      if (option === 'blksize' && value >= 8) {
        block = Math.min(value, MOST_BLOCK);
        accepted.push(option, String(block));
      } else if (option === 'tsize') accepted.push(option, String(file.length));
    }
    const transfer: Transfer = {
      file,
      block,
      packet: new Uint8Array(0),
      number: 0,
      resends: 0,
      cancel: () => {},
    };
    this.transfers.set(key, transfer);
    if (accepted.length > 0) {
      const text = new TextEncoder().encode(accepted.join('\0') + '\0');
      this.send(key, transfer, Uint8Array.of(0, TFTP_OPTIONS, ...text), send);
    } else this.sendBlock(key, transfer, 1, send);
  }

  private acknowledged(key: string, number: number, send: (bytes: Uint8Array) => void): void {
    const transfer = this.transfers.get(key);
    // An older number is a copy (RFC 1123, 4.2.3.1).
    if (!transfer || number !== (transfer.number & 0xffff)) return;
    const last = transfer.number > 0 && transfer.number * transfer.block > transfer.file.length;
    if (last) this.end(key);
    else this.sendBlock(key, transfer, transfer.number + 1, send);
  }

  private sendBlock(
    key: string,
    transfer: Transfer,
    number: number,
    send: (bytes: Uint8Array) => void,
  ): void {
    const { file, block } = transfer;
    const data = file.subarray((number - 1) * block, number * block);
    const packet = new Uint8Array(4 + data.length);
    put16(packet, 0, TFTP_DATA);
    put16(packet, 2, number & 0xffff);
    packet.set(data, 4);
    transfer.number = number;
    this.send(key, transfer, packet, send);
  }

  private send(key: string, transfer: Transfer, packet: Uint8Array, send: (bytes: Uint8Array) => void): void {
    transfer.packet = packet;
    transfer.resends = 0;
    const again = (): void => {
      transfer.cancel = this.timers.after(RESEND_MS, () => {
        if (++transfer.resends > MOST_RESENDS) return this.end(key);
        send(transfer.packet);
        again();
      });
    };
    transfer.cancel();
    again();
    send(packet);
  }

  private end(key: string): void {
    this.transfers.get(key)?.cancel();
    this.transfers.delete(key);
  }

  closeAll(): void {
    for (const key of [...this.transfers.keys()]) this.end(key);
  }
}

export function tftpError(code: number, message: string): Uint8Array {
  return Uint8Array.of(0, TFTP_ERROR, 0, code, ...new TextEncoder().encode(message), 0);
}
