/** A CD and DVD drive (MMC-6). */
import { answer, be16, be24, be32, check, ILLEGAL_FIELD, NOT_READY_NO_MEDIUM, ScsiTarget } from './scsi.js';
import { END, type Work } from './work.js';

const CD_ROM = 0x08;
const DVD_ROM = 0x10;
/** Sectors that a CD can have: 80 minutes, with some to spare. What is larger is a DVD. */
const CD_SECTORS = 405_000;
const SECTOR = 2048;
const LEAD_OUT = 0xaa;
const DATA_TRACK = 0x14;

const MEDIA_EVENTS = 4;
const NEW_MEDIA = 2;
const REMOVAL = 3;

export class ScsiCdrom extends ScsiTarget {
  protected readonly deviceType = 5;
  protected readonly removable = true;
  /** What GET EVENT STATUS NOTIFICATION tells next. */
  private event = 0;

  protected override changed(): void {
    this.event = this.drive.sectors > 0 ? NEW_MEDIA : REMOVAL;
  }

  protected serve(command: number, block: Uint8Array): Work | undefined {
    const { sectors } = this.drive;
    switch (command) {
      case 0x28:
        return this.transfer('read', be32(block, 2), be16(block, 7));
      case 0xa8:
        return this.transfer('read', be32(block, 2), be32(block, 6));
      case 0xbe:
        return this.readCd(block);
      case 0x2b:
      case 0x2f:
      case 0xbb:
      case 0xb6:
      case 0x35:
        return END;
      case 0x42:
        return sectors === 0 ? check(NOT_READY_NO_MEDIUM) : answer([0, 0x15, 0, 0], be16(block, 7));
      case 0x43:
        return sectors === 0 ? check(NOT_READY_NO_MEDIUM) : this.contents(block);
      case 0x46:
        return this.configuration(block);
      case 0x4a:
        return this.eventStatus(block);
      case 0x51:
        return sectors === 0 ? check(NOT_READY_NO_MEDIUM) : this.discInformation(be16(block, 7));
      case 0x52:
        return sectors === 0 ? check(NOT_READY_NO_MEDIUM) : this.trackInformation(be16(block, 7));
      case 0xad:
        return this.discStructure(block);
      case 0xbd:
        return answer([0, 0, 0, 0, 0, 0, 0, 0], be16(block, 8));
      default:
        return undefined;
    }
  }

  /** READ CD: user data alone is what there is. */
  private readCd(block: Uint8Array): Work {
    const count = be24(block, 6);
    const fields = block[9]! & 0xf8;
    if (fields === 0 || count === 0) return END;
    return fields === 0x10 ? this.transfer('read', be32(block, 2), count) : check(ILLEGAL_FIELD);
  }

  private address(sector: number, minutes: boolean): number[] {
    if (!minutes) return [sector >>> 24, (sector >>> 16) & 0xff, (sector >>> 8) & 0xff, sector & 0xff];
    const frames = sector + 150;
    return [0, Math.floor(frames / 4500) & 0xff, Math.floor(frames / 75) % 60, frames % 75];
  }

  /** READ TOC: one track with data. */
  private contents(block: Uint8Array): Work {
    const minutes = (block[1]! & 2) !== 0;
    const room = be16(block, 7);
    const format = block[2]! & 0x0f || block[9]! >> 6;
    const { sectors } = this.drive;
    const track = (number: number, sector: number): number[] => [
      0,
      DATA_TRACK,
      number,
      0,
      ...this.address(sector, minutes),
    ];
    switch (format) {
      case 0: {
        const first = block[6]!;
        if (first > 1 && first !== LEAD_OUT) return check(ILLEGAL_FIELD);
        const tracks = [...(first <= 1 ? track(1, 0) : []), ...track(LEAD_OUT, sectors)];
        return answer([0, tracks.length + 2, 1, 1, ...tracks], room);
      }
      case 1:
        return answer([0, 10, 1, 1, ...track(1, 0)], room);
      case 2: {
        const entry = (point: number, address: number[]): number[] => [
          1,
          DATA_TRACK,
          0,
          point,
          0,
          0,
          0,
          ...address,
        ];
        const entries = [
          ...entry(0xa0, [0, 1, 0, 0]),
          ...entry(0xa1, [0, 1, 0, 0]),
          ...entry(0xa2, this.address(sectors, true)),
          ...entry(1, this.address(0, true)),
        ];
        return answer([0, entries.length + 2, 1, 1, ...entries], room);
      }
      default:
        return check(ILLEGAL_FIELD);
    }
  }

  private get profile(): number {
    const { sectors } = this.drive;
    return sectors === 0 ? 0 : sectors > CD_SECTORS ? DVD_ROM : CD_ROM;
  }

  /** GET CONFIGURATION: which profiles the drive has, and which the medium. */
  private configuration(block: Uint8Array): Work {
    const type = block[1]! & 3;
    const first = be16(block, 2);
    const { profile } = this;
    const current = (which: number): number => (profile === which ? 1 : 0);
    const features: [number: number, bytes: number[]][] = [
      [0x0000, [0x00, 0x00, 0x03, 8, 0, DVD_ROM, current(DVD_ROM), 0, 0, CD_ROM, current(CD_ROM), 0]],
      [0x0001, [0x00, 0x01, 0x0b, 8, 0, 0, 0, 1, 0, 0, 0, 0]],
      [0x0003, [0x00, 0x03, 0x03, 4, 0x29, 0, 0, 0]],
      [0x0010, [0x00, 0x10, profile ? 1 : 0, 8, 0, 0, SECTOR >> 8, 0, 0, 1, 0, 0]],
      [0x001e, [0x00, 0x1e, current(CD_ROM), 4, 0, 0, 0, 0]],
      [0x001f, [0x00, 0x1f, current(DVD_ROM), 4, 0, 0, 0, 0]],
    ];
    const told = features.filter(
      ([number, bytes]) =>
        (type === 2 ? number === first : number >= first) && (type !== 1 || (bytes[2]! & 1) !== 0),
    );
    const body = told.flatMap(([, bytes]) => bytes);
    const length = body.length + 4;
    return answer(
      [0, 0, length >> 8, length & 0xff, 0, 0, profile >> 8, profile & 0xff, ...body],
      be16(block, 7),
    );
  }

  /** GET EVENT STATUS NOTIFICATION, of the medium, when it is asked for (polled). */
  private eventStatus(block: Uint8Array): Work {
    if (!(block[1]! & 1)) return check(ILLEGAL_FIELD);
    const room = be16(block, 7);
    const supported = 1 << MEDIA_EVENTS;
    if (!(block[4]! & supported)) return answer([0, 2, 0x80, supported], room);
    const { event } = this;
    this.event = 0;
    return answer([0, 6, MEDIA_EVENTS, supported, event, this.drive.sectors > 0 ? 2 : 0, 0, 0], room);
  }

  private discInformation(room: number): Work {
    const data = new Uint8Array(34);
    // Complete, one session, one track.
    data.set([0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
    data.fill(0xff, 16, 24);
    return answer(data, room);
  }

  private trackInformation(room: number): Work {
    const data = new Uint8Array(36);
    data.set([0, 34, 1, 1, 0, 4, 1]);
    data.set(this.address(this.drive.sectors, false), 24);
    return answer(data, room);
  }

  /** READ DISC STRUCTURE: what the first layer of a DVD says. */
  private discStructure(block: Uint8Array): Work {
    if (this.profile !== DVD_ROM || block[7] !== 0) return check(ILLEGAL_FIELD);
    const data = new Uint8Array(2052);
    const FIRST = 0x30000;
    data.set([0x08, 0x02, 0, 0, 0x01, 0x0f, 0x01, 0, 0, FIRST >> 16, 0, 0, 0]);
    data.set(this.address(FIRST + this.drive.sectors - 1, false).slice(1), 13);
    return answer(data, be16(block, 8));
  }

  protected vitalPage(page: number): Uint8Array | null {
    return page === 0 ? Uint8Array.of(0x00, 0x80, 0x83) : null;
  }

  protected modePages(): Map<number, number[]> {
    return new Map([
      [0x01, [0x01, 10, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]],
      [0x0e, [0x0e, 14, 4, 0, 0, 0, 0, 0, 1, 255, 2, 255, 0, 0, 0, 0]],
      // Capabilities: reads CD-R, DVD; tray that locks and ejects; 8x.
      [
        0x2a,
        [
          0x2a,
          20,
          0x3b,
          0,
          0x71,
          0x60,
          0x29 | (this.drive.locked ? 2 : 0),
          0,
          5,
          0x80,
          1,
          0,
          2,
          0,
          5,
          0x80,
          0,
          0,
          0,
          0,
          0,
          0,
        ],
      ],
    ]);
  }
}
