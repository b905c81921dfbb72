/** A disk (SBC-3). */
import {
  answer,
  be16,
  be24,
  be32,
  be64,
  check,
  ILLEGAL_ADDRESS,
  ILLEGAL_FIELD,
  ILLEGAL_PARAMETER,
  MOST_SECTORS,
  ScsiTarget,
  WRITE_PROTECTED,
} from './scsi.js';
import { inTurn } from './in-turn.js';
import { END, type Work } from './work.js';

const MOST_UNMAP = 0x3fffff;
const MOST_RANGES = 255;
const WRITE_CACHE = 0x04;

export class ScsiDisk extends ScsiTarget {
  protected readonly deviceType = 0;
  protected readonly removable = false;

  protected serve(command: number, block: Uint8Array): Work | undefined {
    const fua = (block[1]! & 8) !== 0;
    switch (command) {
      case 0x08:
        return this.transfer('read', be24(block, 1) & 0x1fffff, block[4]! || 256);
      case 0x0a:
        return this.transfer('write', be24(block, 1) & 0x1fffff, block[4]! || 256);
      case 0x28:
        return this.transfer('read', be32(block, 2), be16(block, 7));
      case 0x2a:
        return this.write(be32(block, 2), be16(block, 7), fua);
      case 0xa8:
        return this.transfer('read', be32(block, 2), be32(block, 6));
      case 0xaa:
        return this.write(be32(block, 2), be32(block, 6), fua);
      case 0x88:
        return this.transfer('read', be64(block, 2), be32(block, 10));
      case 0x8a:
        return this.write(be64(block, 2), be32(block, 10), fua);
      case 0x2f:
      case 0x8f:
      case 0x2b:
        return END;
      case 0x35:
      case 0x91:
        return { kind: 'wait', start: (done) => this.drive.flush(done) };
      case 0x41:
        return this.writeSame(block, be32(block, 2), be16(block, 7));
      case 0x93:
        return this.writeSame(block, be64(block, 2), be32(block, 10));
      case 0x42:
        return this.unmap(be16(block, 7));
      case 0x9e:
        return (block[1]! & 0x1f) === 0x10 ? this.longCapacity(be32(block, 10)) : check(ILLEGAL_FIELD);
      default:
        return undefined;
    }
  }

  private write(first: number, count: number, fua: boolean): Work {
    const work = this.transfer('write', first, count);
    return fua && work.kind === 'write' ? { ...work, flush: true } : work;
  }

  private longCapacity(room: number): Work {
    const { sectors, sectorBytes, discards } = this.drive;
    const data = new DataView(new ArrayBuffer(32));
    data.setBigUint64(0, BigInt(Math.max(0, sectors - 1)));
    data.setUint32(8, sectorBytes);
    // Eight sectors are a physical block; what is unmapped reads as zeros.
    data.setUint8(13, 3);
    if (discards) data.setUint8(14, 0xc0);
    return answer(new Uint8Array(data.buffer), room);
  }

  private writeSame(block: Uint8Array, first: number, asked: number): Work {
    const { drive } = this;
    const count = asked || drive.sectors - first;
    if (drive.readOnly) return check(WRITE_PROTECTED);
    if (first + count > drive.sectors) return check(ILLEGAL_ADDRESS);
    const unmap = (block[1]! & 8) !== 0;
    const { sectorBytes } = drive;
    return {
      kind: 'take',
      length: block[1]! & 1 ? 0 : sectorBytes,
      next: (pattern) => {
        if (pattern.some((byte) => byte !== 0)) return check(ILLEGAL_PARAMETER);
        return {
          kind: 'wait',
          start: (done) => drive[unmap ? 'discard' : 'zero'](first * sectorBytes, count * sectorBytes, done),
        };
      },
    };
  }

  /** UNMAP: a list of ranges, 8 bytes of address and 4 of count each. */
  private unmap(length: number): Work {
    const { drive } = this;
    if (drive.readOnly) return check(WRITE_PROTECTED);
    if (length === 0) return END;
    return {
      kind: 'take',
      length,
      next: (list) => {
        const ranges: [first: number, count: number][] = [];
        const end = Math.min(list.length, 8 + be16(list, 2));
        for (let at = 8; at + 16 <= end; at += 16) ranges.push([be64(list, at), be32(list, at + 8)]);
        if (ranges.some(([first, count]) => first + count > drive.sectors)) return check(ILLEGAL_ADDRESS);
        return {
          kind: 'wait',
          start: (done) =>
            inTurn(
              ranges,
              ([first, count], next) =>
                drive.discard(first * drive.sectorBytes, count * drive.sectorBytes, next),
              done,
            ),
        };
      },
    };
  }

  protected vitalPage(page: number): Uint8Array | null {
    const data = new DataView(new ArrayBuffer(60));
    switch (page) {
      case 0x00:
        return Uint8Array.of(0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2);
      case 0xb0:
        // WSNZ clear; the most to unmap, with how many ranges, and in what steps.
        data.setUint16(2, 8);
        data.setUint32(4, MOST_SECTORS);
        if (this.drive.discards) {
          data.setUint32(16, MOST_UNMAP);
          data.setUint32(20, MOST_RANGES);
          data.setUint32(24, 8);
        }
        data.setBigUint64(32, BigInt(MOST_UNMAP));
        return new Uint8Array(data.buffer);
      case 0xb1:
        // No rotation.
        data.setUint16(0, 1);
        return new Uint8Array(data.buffer);
      case 0xb2:
        // UNMAP and WRITE SAME unmap, as the host sees fit.
        return Uint8Array.of(0, this.drive.discards ? 0xe4 : 0, this.drive.discards ? 2 : 0, 0);
      default:
        return null;
    }
  }

  protected modePages(): Map<number, number[]> {
    return new Map([
      [0x01, [0x01, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
      [0x08, [0x08, 18, WRITE_CACHE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
      [0x0a, [0x0a, 10, 2, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]],
    ]);
  }
}
