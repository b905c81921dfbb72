/** A CD drive behind ATA (ATA/ATAPI-7, PACKET feature set). */
import type { Drive } from '../../machine/drive.js';
import { identifyPacket } from './ata-identify.js';
import { ABRT, type TaskFile } from './ata-registers.js';
import type { AtaWork } from './ata-disk.js';
import { ScsiCdrom } from './scsi-cdrom.js';
import { END, type Work } from './work.js';

const ABORT: Work = { kind: 'error', error: ABRT };

export class AtaPacket {
  readonly packet: ScsiCdrom;

  constructor(readonly drive: Drive) {
    this.packet = new ScsiCdrom(drive);
  }

  reset(): void {
    this.packet.reset();
  }

  get identity(): Uint8Array {
    return identifyPacket(this.drive);
  }

  command(file: TaskFile): AtaWork {
    return { work: this.serve(file), dma: false, block: 1 };
  }

  private serve(file: TaskFile): Work {
    switch (file.command) {
      case 0xa1:
        return { kind: 'answer', bytes: this.identity };
      case 0xef:
        // Transfer mode.
        return file.features === 0x03 ? END : ABORT;
      case 0xe0:
      case 0xe1:
      case 0xe2:
      case 0xe3:
      case 0xe5:
      case 0xe6:
        return END;
      default:
        return ABORT;
    }
  }

  save(): object {
    return {};
  }
  load(): void {}
}
