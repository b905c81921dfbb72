import { UserError } from '../../machine/user-error.js';
import { RAM, sizeText, type MemoryRange } from './memory-map.js';

interface Free {
  start: number;
  end: number;
}

/** The interrupt vectors and the BIOS data area: kernels may lie there, nothing is put there for them. */
const FIRST_PLACE = 0x1000;
export const PAGE = 0x1000;

/** Which RAM is still free while a kernel and what belongs to it are laid out. */
export class Placement {
  private free: Free[] = [];
  private readonly ramBytes: number;

  constructor(map: readonly MemoryRange[]) {
    for (const range of map) {
      if (range.type !== RAM || range.length === 0) continue;
      const last = this.free.at(-1);
      if (last?.end === range.start) last.end += range.length;
      else this.free.push({ start: range.start, end: range.start + range.length });
    }
    this.ramBytes = this.free.reduce((sum, part) => sum + part.end - part.start, 0);
  }

  /** Claims exactly this range for `what`. */
  take(start: number, length: number, what: string): void {
    const end = start + length;
    const part = this.free.find((candidate) => candidate.start <= start && end <= candidate.end);
    if (!part) {
      const where = `${hex(start)}-${hex(Math.max(end - 1, start))}`;
      throw new UserError(
        `${what} needs the memory ${where}, which is not free in a guest of ${sizeText(this.ramBytes)}: ` +
          'give the guest more with --memory, or use another kernel',
      );
    }
    this.free = this.free.flatMap((candidate) => {
      if (candidate !== part) return [candidate];
      const rest = [
        { start: candidate.start, end: start },
        { start: end, end: candidate.end },
      ];
      return rest.filter((piece) => piece.start < piece.end);
    });
  }

  /** Claims the lowest free place of `length` bytes from `from` up and returns its address. */
  lowest(length: number, what: string, { align = PAGE, from = FIRST_PLACE } = {}): number {
    for (const part of this.free) {
      const start = Math.ceil(Math.max(part.start, from) / align) * align;
      if (start + length > part.end) continue;
      this.take(start, length, what);
      return start;
    }
    return this.refuse(length, what);
  }

  /** Claims the highest free place of `length` bytes that ends at `below` or lower and returns its address. */
  highest(length: number, what: string, below: number): number {
    for (const part of this.free.toReversed()) {
      const start = Math.floor((Math.min(part.end, below) - length) / PAGE) * PAGE;
      if (start < Math.max(part.start, FIRST_PLACE)) continue;
      this.take(start, length, what);
      return start;
    }
    return this.refuse(length, what);
  }

  private refuse(length: number, what: string): never {
    throw new UserError(
      `${what} (${sizeText(length)}) does not fit beside the kernel in a guest of ${sizeText(this.ramBytes)}: ` +
        'give the guest more with --memory',
    );
  }
}

export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
