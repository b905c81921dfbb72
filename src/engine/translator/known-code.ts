import type { CodeCache } from '../interpreter/code-cache.js';
import { MOST_PAGES, PAGE } from './blocks.js';

/** What was executed around a page: offsets are from it, distances in pages. */
export class KnownCode {
  private readonly pages = new Map<number, number>();

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

  /** Address in memory of code in a page that is known. */
  addressOf(offset: number): number {
    return this.pageAt(offset >> 12) + (offset & (PAGE - 1));
  }

  /** Record of the block that was executed at an offset, or 0. If there is one, stores to its code are noticed. */
  recordAt(offset: number): number {
    if (this.pageAt(offset >> 12) === 0) return 0;
    const record = this.cache.find(this.addressOf(offset), this.mode);
    if (record === 0) return 0;
    const second = this.cache.secondPage(record);
    return second === 0 || second === this.pageAt((offset >> 12) + 1) ? record : 0;
  }
}
