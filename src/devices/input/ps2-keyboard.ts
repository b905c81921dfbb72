/** PS/2 keyboard, MF2 with 102 keys (IBM Personal System/2 Hardware Interface Technical Reference, Keyboard). Speaks scan code set 2. */
import { checkVersion } from '../../machine/state.js';
import { OutputQueue } from './output-queue.js';
import type { Ps2Device } from './ps2-port.js';
import { keySequence } from './scan-codes.js';

// Commands
const SET_LEDS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const SET_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULT = 0xf6;
const RESEND = 0xfe;
const RESET = 0xff;
const COMMANDS = 0xed;

// Answers
const ACKNOWLEDGE = 0xfa;
const SELF_TEST_PASSED = 0xaa;
const REFUSED = 0xfe;
const OVERRUN = 0x00;
const IDENTITY: readonly number[] = [0xab, 0x83];
const OUR_SET = 2;

const BUFFER_BYTES = 64;

export interface SavedPs2Keyboard {
  version: 1;
  command: number;
  scanning: boolean;
  leds: number;
  lastSent: number;
  queue: ReturnType<OutputQueue['save']>;
}

export class Ps2Keyboard implements Ps2Device {
  private readonly queue = new OutputQueue(BUFFER_BYTES);
  /** Command that waits for its parameter; 0: none. */
  private command = 0;
  private scanning = true;
  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  private leds = 0;
  private lastSent = 0;

  /** `ready`: there is something to send. `ledsChanged`: the guest switched the lights. */
  constructor(
    private readonly ready: () => void,
    private readonly ledsChanged: (leds: number) => void = () => {},
  ) {}

  /** A key, by its KeyboardEvent code, went down or up. Keys that the keyboard does not have do nothing. */
  key(code: string, down: boolean): void {
    const sequence = keySequence(code, down);
    if (!sequence || !this.scanning) return;
    if (!this.queue.push(sequence)) this.queue.push([OVERRUN]);
    this.ready();
  }

  reset(): void {
    this.command = 0;
    this.queue.clear();
    this.setDefault();
    this.setLeds(0);
    this.scanning = true;
  }

  private setDefault(): void {
    this.queue.clear();
    this.scanning = true;
  }

  private setLeds(leds: number): void {
    this.leds = leds;
    this.ledsChanged(leds);
  }

  next(): number | undefined {
    const byte = this.queue.next();
    if (byte !== undefined) this.lastSent = byte;
    return byte;
  }

  receive(byte: number): void {
    const command = this.command;
    this.command = 0;
    if (command !== 0 && byte < COMMANDS) this.parameter(command, byte);
    else this.execute(byte);
    this.ready();
  }

  private execute(byte: number): void {
    switch (byte) {
      case SET_LEDS:
      case SCAN_CODE_SET:
      case SET_RATE:
        this.command = byte;
        return this.queue.answer(ACKNOWLEDGE);
      case ECHO:
        return this.queue.answer(ECHO);
      case IDENTIFY:
        return this.queue.answer(ACKNOWLEDGE, ...IDENTITY);
      case ENABLE:
        this.setDefault();
        return this.queue.answer(ACKNOWLEDGE);
      case DISABLE:
        this.setDefault();
        this.scanning = false;
        return this.queue.answer(ACKNOWLEDGE);
      case SET_DEFAULT:
        this.setDefault();
        return this.queue.answer(ACKNOWLEDGE);
      case RESEND:
        return this.queue.answer(this.lastSent);
      case RESET:
        this.reset();
        return this.queue.answer(ACKNOWLEDGE, SELF_TEST_PASSED);
      default:
        return this.queue.answer(REFUSED);
    }
  }

  private parameter(command: number, byte: number): void {
    if (command === SET_LEDS) this.setLeds(byte & 7);
    if (command === SCAN_CODE_SET) {
      if (byte === 0) return this.queue.answer(ACKNOWLEDGE, OUR_SET);
      if (byte !== OUR_SET) return this.queue.answer(REFUSED);
    }
    // The repeat rate (SET_RATE) is the host keyboard's: it repeats keys.
    this.queue.answer(ACKNOWLEDGE);
  }

  save(): SavedPs2Keyboard {
    const { command, scanning, leds, lastSent } = this;
    return { version: 1, command, scanning, leds, lastSent, queue: this.queue.save() };
  }

  load(state: SavedPs2Keyboard): void {
    checkVersion('the keyboard', state, 1);
    const { command, scanning, leds, lastSent } = state;
    Object.assign(this, { command, scanning, leds, lastSent });
    this.queue.load(state.queue);
  }
}
