import { distance } from './segment.js';

/** Ranges of sequence numbers, in order, not touching. All lie within 2 GiB. */
export class Ranges {
  private list: [from: number, to: number][] = [];

  get all(): readonly (readonly [from: number, to: number])[] {
    return this.list;
  }
  get empty(): boolean {
    return this.list.length === 0;
  }
  /** Where the last range ends; `other` if there is none. */
  end(other: number): number {
    return this.list.at(-1)?.[1] ?? other;
  }

  add(from: number, to: number): void {
    let [low, high] = [from, to];
    const rest: [number, number][] = [];
    for (const range of this.list) {
      if (distance(range[1], low) < 0 || distance(range[0], high) > 0) rest.push(range);
      else {
        if (distance(range[0], low) < 0) low = range[0];
        if (distance(range[1], high) > 0) high = range[1];
      }
    }
    const index = rest.findIndex(([start]) => distance(start, low) > 0);
    rest.splice(index < 0 ? rest.length : index, 0, [low, high]);
    this.list = rest;
  }

  /** Forgets what lies before `sequence`. */
  dropBefore(sequence: number): void {
    while (this.list.length > 0 && distance(this.list[0]![1], sequence) <= 0) this.list.shift();
    const first = this.list[0];
    if (first && distance(first[0], sequence) < 0) first[0] = sequence;
  }

  clear(): void {
    this.list = [];
  }

  /** Bytes of [from, to) that lie in ranges. */
  within(from: number, to: number): number {
    let bytes = 0;
    for (const [start, end] of this.list) {
      const low = distance(start, from) > 0 ? start : from;
      const high = distance(end, to) < 0 ? end : to;
      if (distance(high, low) > 0) bytes += distance(high, low);
    }
    return bytes;
  }

  /** The first part of [from, to) that is in no range; null: there is none. */
  gap(from: number, to: number): readonly [number, number] | null {
    let at = from;
    for (const [start, end] of this.list) {
      if (distance(start, at) > 0) break;
      if (distance(end, at) > 0) at = end;
    }
    if (distance(at, to) >= 0) return null;
    const next = this.list.find(([start]) => distance(start, at) > 0)?.[0];
    return [at, next !== undefined && distance(next, to) < 0 ? next : to];
  }
}
