/** PS/2 mouse with a wheel: IBM's protocol, and Microsoft's IntelliMouse after its knock (sample rates 200, 100, 80). */
import { checkVersion } from '../../machine/state.js';
import { OutputQueue } from './output-queue.js';
import type { Ps2Device } from './ps2-port.js';

// Commands
const SCALING_1_TO_1 = 0xe6;
const SCALING_2_TO_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS_REQUEST = 0xe9;
const SET_STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const RESET_WRAP_MODE = 0xec;
const SET_WRAP_MODE = 0xee;
const SET_REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULT = 0xf6;
const RESET = 0xff;

// Answers
const ACKNOWLEDGE = 0xfa;
const SELF_TEST_PASSED = 0xaa;
const REFUSED = 0xfe;
const PLAIN = 0;
const WHEEL = 3;
const KNOCK: readonly number[] = [200, 100, 80];

const BUFFER_BYTES = 256;
const ALWAYS_ONE = 0x08;
const BUTTONS = 0x07;
const MOST = 255;

export interface SavedPs2Mouse {
  version: 1;
  identity: number;
  reporting: boolean;
  remote: boolean;
  wrap: boolean;
  scaling: boolean;
  resolution: number;
  rates: number[];
  buttons: number;
  moved: number[];
  command: number;
  queue: ReturnType<OutputQueue['save']>;
}

export class Ps2Mouse implements Ps2Device {
  private readonly queue = new OutputQueue(BUFFER_BYTES);
  private identity = PLAIN;
  private reporting = false;
  private remote = false;
  private wrap = false;
  private scaling = false;
  private resolution = 2;
  /** The last three sample rates that were set. */
  private rates = [0, 0, 100];
  private buttons = 0;
  /** Movement right, up and of the wheel towards the user, not reported yet. */
  private moved = [0, 0, 0];
  private command = 0;

  constructor(private readonly ready: () => void) {}

  /** Movement in counts: right, down, wheel towards the user. `buttons`: bit 0 left, 1 right, 2 middle. */
  move(right: number, down: number, wheel: number, buttons: number): void {
    this.moved = [this.moved[0]! + right, this.moved[1]! - down, this.moved[2]! + wheel];
    this.buttons = buttons & BUTTONS;
    if (!this.reporting || this.remote) return;
    this.report();
    this.ready();
  }

  private report(): void {
    if (this.queue.push(this.packet())) this.moved = [0, 0, 0];
  }

  private packet(): number[] {
    const clamp = (value: number, most: number): number => Math.max(-most, Math.min(most, Math.round(value)));
    const x = clamp(this.moved[0]!, MOST);
    const y = clamp(this.moved[1]!, MOST);
    const first = ALWAYS_ONE | this.buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
    const bytes = [first, x & 0xff, y & 0xff];
    return this.identity === WHEEL ? [...bytes, clamp(this.moved[2]!, 7) & 0xff] : bytes;
  }

  reset(): void {
    this.identity = PLAIN;
    this.command = 0;
    this.setDefault();
  }

  private setDefault(): void {
    this.queue.clear();
    this.reporting = this.remote = this.wrap = this.scaling = false;
    this.resolution = 2;
    this.rates = [0, 0, 100];
    this.moved = [0, 0, 0];
  }

  next(): number | undefined {
    return this.queue.next();
  }

  receive(byte: number): void {
    const command = this.command;
    this.command = 0;
    if (this.wrap && byte !== RESET && byte !== RESET_WRAP_MODE) this.queue.answer(byte);
    else if (command !== 0) this.parameter(command, byte);
    else this.execute(byte);
    this.ready();
  }

  private parameter(command: number, byte: number): void {
    if (command === SET_RESOLUTION) this.resolution = byte & 3;
    else {
      this.rates = [...this.rates.slice(1), byte];
      if (KNOCK.every((rate, index) => rate === this.rates[index])) this.identity = WHEEL;
    }
    this.queue.answer(ACKNOWLEDGE);
  }

  private execute(byte: number): void {
    switch (byte) {
      case SET_RESOLUTION:
      case SET_SAMPLE_RATE:
        this.command = byte;
        break;
      case SCALING_1_TO_1:
      case SCALING_2_TO_1:
        this.scaling = byte === SCALING_2_TO_1;
        break;
      case STATUS_REQUEST:
        return this.queue.answer(ACKNOWLEDGE, this.status(), this.resolution, this.rates[2]!);
      case READ_DATA:
        this.queue.answer(ACKNOWLEDGE, ...this.packet());
        this.moved = [0, 0, 0];
        return;
      case SET_WRAP_MODE:
      case RESET_WRAP_MODE:
        this.wrap = byte === SET_WRAP_MODE;
        break;
      case SET_STREAM_MODE:
      case SET_REMOTE_MODE:
        this.remote = byte === SET_REMOTE_MODE;
        break;
      case IDENTIFY:
        return this.queue.answer(ACKNOWLEDGE, this.identity);
      case ENABLE:
      case DISABLE:
        this.reporting = byte === ENABLE;
        break;
      case SET_DEFAULT:
        this.setDefault();
        break;
      case RESET:
        this.reset();
        return this.queue.answer(ACKNOWLEDGE, SELF_TEST_PASSED, PLAIN);
      default:
        return this.queue.answer(REFUSED);
    }
    this.queue.answer(ACKNOWLEDGE);
  }

  private status(): number {
    const { buttons } = this;
    // Here left is bit 2 and right bit 0.
    const reordered = ((buttons & 1) << 2) | ((buttons & 4) >> 1) | ((buttons & 2) >> 1);
    return (this.remote ? 0x40 : 0) | (this.reporting ? 0x20 : 0) | (this.scaling ? 0x10 : 0) | reordered;
  }

  save(): SavedPs2Mouse {
    const { identity, reporting, remote, wrap, scaling, resolution, rates, buttons, moved, command } = this;
    return {
      version: 1,
      identity,
      reporting,
      remote,
      wrap,
      scaling,
      resolution,
      rates: [...rates],
      buttons,
      moved: [...moved],
      command,
      queue: this.queue.save(),
    };
  }

  load(state: SavedPs2Mouse): void {
    checkVersion('the mouse', state, 1);
    const { identity, reporting, remote, wrap, scaling, resolution, rates, buttons, moved, command } = state;
    Object.assign(this, { identity, reporting, remote, wrap, scaling, resolution, buttons, command });
    this.rates = [...rates];
    this.moved = [...moved];
    this.queue.load(state.queue);
  }
}
