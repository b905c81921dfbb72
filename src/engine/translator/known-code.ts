import type { CodeCache } from '../interpreter/code-cache.js';
import { MOST_PAGES, PAGE } from './blocks.js';

/** What was executed around a page: offsets are from it, distances in pages. */
export class KnownCode {
  private readonly pages = new Map<number, number>();
  private readonly heads = new Map<number, ReadonlyMap<number, number>>();
  private readonly crossing = new Map<number, ReadonlyMap<number, number>>();

  constructor(
    private readonly cache: CodeCache,
    private readonly mode: number,
    private readonly find: (distance: number) => number,
  ) {}

  /** Address in memory of a page; 0: not known. */
  readonly pageAt = (distance: number): number => {
    if (distance < -MOST_PAGES || distance > MOST_PAGES) return 0;
    let page = this.pages.get(distance);
    if (page === undefined) this.pages.set(distance, (page = this.find(distance)));
    return page;
  };

  /** Whether a block at this offset was executed: then stores to its code are noticed. */
  executed(offset: number): boolean {
    const distance = offset >> 12;
    const page = this.pageAt(distance);
    if (page === 0) return false;
    const at = offset & (PAGE - 1);
    let heads = this.heads.get(distance);
    if (!heads) this.heads.set(distance, (heads = this.cache.headsOf(page, this.mode)));
    if (heads.has(at)) return true;
    const second = this.pageAt(distance + 1);
    if (second === 0) return false;
    let crossing = this.crossing.get(distance);
    if (!crossing) this.crossing.set(distance, (crossing = this.cache.headsOf(page, this.mode, second)));
    return crossing.has(at);
  }
}
