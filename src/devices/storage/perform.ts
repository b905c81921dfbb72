import type { Drive } from '../../machine/drive.js';
import type { Scatter } from '../../machine/scatter.js';
import type { Work } from './work.js';

/** How a command ended: with so many bytes moved, or a failure of the kind the work told, or of the drive. */
export type Ending =
  | { kind: 'done'; moved: number }
  | { kind: 'failed'; work: Extract<Work, { kind: 'error' | 'check' }> | null };

/** Does a command's work where all of the guest's buffers are known: what it reads goes to `toGuest`, what it writes comes from `fromGuest`. */
export function perform(
  drive: Drive,
  work: Work,
  buffers: { toGuest: Scatter; fromGuest: Scatter },
  end: (ending: Ending) => void,
): void {
  const { toGuest, fromGuest } = buffers;
  const drives = (moved: number) => (ok: boolean) =>
    end(ok ? { kind: 'done', moved } : { kind: 'failed', work: null });
  switch (work.kind) {
    case 'end':
      return end({ kind: 'done', moved: 0 });
    case 'error':
    case 'check':
      return end({ kind: 'failed', work });
    case 'answer':
      return end({ kind: 'done', moved: toGuest.write(work.bytes) });
    case 'take':
      return perform(drive, work.next(fromGuest.read(0, work.length)), buffers, end);
    case 'wait':
      return work.start(drives(0));
    case 'read': {
      const length = Math.min(work.length, toGuest.length);
      return drive.read(work.position, toGuest.parts(0, length), (ok) => {
        if (ok) toGuest.written(0, length);
        drives(length)(ok);
      });
    }
    case 'write': {
      const length = Math.min(work.length, fromGuest.length);
      const written = drives(length);
      return drive.write(work.position, fromGuest.parts(0, length), (ok) =>
        ok && work.flush ? drive.flush(written) : written(ok),
      );
    }
  }
}
