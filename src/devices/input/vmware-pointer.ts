/**
 * The absolute pointer that VMware's machines have, by their "backdoor": IN from one port, with what is asked in the other
 * registers. Drivers are in Linux (drivers/input/mouse/vmmouse.c says how it is used) and X, and in VMware's tools. They are told
 * by an interrupt of the PS/2 mouse that there is something to fetch.
 */
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';

const PORT = 0x5658;
const MAGIC = 0x564d5868;
const WORKSTATION = 4;
const INTERFACE_VERSION = 6;
const UNKNOWN = 0xffffffff;

// Registers by their numbers in instructions
const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESI = 6;
const EDI = 7;
/** Those that words are given in. */
const WORD_REGISTERS = [EAX, EBX, ECX, EDX, ESI, EDI];

// Commands, in CX
const GET_VERSION = 10;
const POINTER_DATA = 39;
const POINTER_STATUS = 40;
const POINTER_COMMAND = 41;

// Commands of the pointer, in EBX
const READ_ID = 0x45414552;
const DISABLE = 0x000000f5;
const REQUEST_RELATIVE = 0x4c455252;
const REQUEST_ABSOLUTE = 0x53424152;

const IDENTITY = 0x3442554a;
const ERROR = 0xffff0000;
const LEFT = 0x20;
const RIGHT = 0x10;
const MIDDLE = 0x08;
const WORDS = 4;
const MOST_WORDS = 1024;
const LARGEST = 0xffff;

/** General registers of the CPU that is reading a port, as 32 bits. */
export interface CallerRegisters {
  get(register: number): number;
  set(register: number, value: number): void;
}

export interface SavedVmwarePointer {
  version: 1;
  enabled: boolean;
  absolute: boolean;
  words: number[];
}

export class VmwarePointer implements PortDevice {
  private enabled = false;
  private absolute = false;
  private words: number[] = [];

  /** `knock`: has the PS/2 mouse send a movement of nothing. */
  constructor(
    private readonly caller: () => CallerRegisters,
    private readonly knock: () => void,
  ) {}

  attach(ports: PortBus): void {
    ports.map(PORT, 4, this, 4);
  }

  reset(): void {
    this.enabled = this.absolute = false;
    this.words = [];
  }

  /** Whether a driver listens: then `move` is what tells it, and the PS/2 mouse is not. */
  get listening(): boolean {
    return this.enabled && this.absolute;
  }

  /** The pointer is at so much (0 to 1) of the screen's width and height. `wheel`, `buttons`: as Ps2Mouse has them. */
  move(x: number, y: number, wheel: number, buttons: number): void {
    if (this.words.length + WORDS > MOST_WORDS) return;
    const place = (part: number): number => Math.round(Math.max(0, Math.min(1, part)) * LARGEST);
    const pressed = (buttons & 1 ? LEFT : 0) | (buttons & 2 ? RIGHT : 0) | (buttons & 4 ? MIDDLE : 0);
    this.words.push(pressed, place(x), place(y), wheel >>> 0);
    this.knock();
  }

  readPort(port: number, size: number): number {
    const caller = this.caller();
    const asked = caller.get(EAX);
    if (port !== PORT || size !== 4 || asked !== MAGIC) return UNKNOWN;
    switch (caller.get(ECX) & 0xffff) {
      case GET_VERSION:
        caller.set(EBX, MAGIC);
        caller.set(ECX, WORKSTATION);
        return INTERFACE_VERSION;
      case POINTER_STATUS:
        return this.enabled ? this.words.length : ERROR;
      case POINTER_COMMAND:
        this.command(caller.get(EBX));
        return asked;
      case POINTER_DATA:
        return this.data(caller);
      default:
        return UNKNOWN;
    }
  }

  private command(command: number): void {
    switch (command) {
      case READ_ID:
        this.enabled = true;
        this.words = [IDENTITY];
        break;
      case DISABLE:
        this.reset();
        break;
      case REQUEST_RELATIVE:
      case REQUEST_ABSOLUTE:
        this.absolute = command === REQUEST_ABSOLUTE;
    }
  }

  /** As many words as EBX says. */
  private data(caller: CallerRegisters): number {
    const count = caller.get(EBX);
    if (!this.enabled || count === 0 || count > WORD_REGISTERS.length || count > this.words.length) {
      // Who asks for what is not there has lost its place: it has to begin anew.
      this.reset();
      return UNKNOWN;
    }
    const words = this.words.splice(0, count);
    words.forEach((word, n) => caller.set(WORD_REGISTERS[n]!, word));
    return words[0]!;
  }

  writePort(): void {}

  save(): SavedVmwarePointer {
    const { enabled, absolute, words } = this;
    return { version: 1, enabled, absolute, words: [...words] };
  }

  load(state: SavedVmwarePointer): void {
    checkVersion('the pointer', state, 1);
    const { enabled, absolute, words } = state;
    Object.assign(this, { enabled, absolute, words: [...words] });
  }
}
