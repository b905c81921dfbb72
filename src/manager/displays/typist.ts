import type { KeyPress } from '../../devices/input/typed-keys.js';

/** Milliseconds between keys: what the slowest reader of a keyboard, a BIOS with sixteen places, can follow. */
const PACE_MS = 12;

/** Presses keys one after the other, at a pace that the guest can follow. */
export class Typist {
  private readonly waiting: KeyPress[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly key: (code: string, down: boolean) => void) {}

  type(keys: readonly KeyPress[]): void {
    this.waiting.push(...keys);
    this.timer ??= setInterval(() => this.next(), PACE_MS);
  }

  private next(): void {
    const press = this.waiting.shift();
    if (!press) return this.stop();
    for (const code of press.hold) this.key(code, true);
    this.key(press.code, true);
    this.key(press.code, false);
    for (const code of press.hold.toReversed()) this.key(code, false);
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }
}
