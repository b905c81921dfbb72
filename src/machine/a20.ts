import type { Line } from './line.js';
import { checkVersion } from './state.js';

/** Address line 20, held low for programs of the 8086: enabled when either port 0x92 or the keyboard controller enables it. */
export class A20Gate {
  private fast = false;
  private keyboard = false;

  constructor(private readonly output: Line) {}

  get enabled(): boolean {
    return this.fast || this.keyboard;
  }

  /** What port 0x92 says. */
  readonly setFast: Line = (enabled) => this.set(enabled, this.keyboard);
  /** What the output port of the keyboard controller says. */
  readonly setKeyboard: Line = (enabled) => this.set(this.fast, enabled);

  private set(fast: boolean, keyboard: boolean): void {
    const before = this.enabled;
    this.fast = fast;
    this.keyboard = keyboard;
    if (this.enabled !== before) this.output(this.enabled);
  }

  save(): { version: 1; fast: boolean; keyboard: boolean } {
    return { version: 1, fast: this.fast, keyboard: this.keyboard };
  }

  load(state: ReturnType<A20Gate['save']>): void {
    checkVersion('the A20 gate', state, 1);
    this.set(state.fast, state.keyboard);
  }
}
