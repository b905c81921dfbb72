/** Intel 8042 keyboard controller with the PS/2 firmware (IBM Personal System/2 Hardware Interface Technical Reference). */
import type { Line } from '../../machine/line.js';
import type { PortBus, PortDevice } from '../../machine/port-bus.js';
import { checkVersion } from '../../machine/state.js';
import { Ps2Keyboard, type SavedPs2Keyboard } from './ps2-keyboard.js';
import { Ps2Mouse, type SavedPs2Mouse } from './ps2-mouse.js';
import { Set2ToSet1 } from './scan-codes.js';

const DATA = 0x60;
const STATUS = 0x64;

// Status register
const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_AUX_DATA = 0x20;

// Command byte
const KEYBOARD_INTERRUPT = 0x01;
const AUX_INTERRUPT = 0x02;
const SYSTEM_FLAG = 0x04;
const KEYBOARD_DISABLED = 0x10;
const AUX_DISABLED = 0x20;
const TRANSLATE = 0x40;
const COMMAND_BYTE_WRITABLE = 0x7f;
/** As a BIOS leaves it. */
const COMMAND_BYTE_AFTER_RESET = KEYBOARD_INTERRUPT | SYSTEM_FLAG | AUX_DISABLED | TRANSLATE;

// Commands
const READ_RAM = 0x20;
const WRITE_RAM = 0x60;
const DISABLE_AUX = 0xa7;
const ENABLE_AUX = 0xa8;
const TEST_AUX = 0xa9;
const SELF_TEST = 0xaa;
const TEST_KEYBOARD = 0xab;
const DISABLE_KEYBOARD = 0xad;
const ENABLE_KEYBOARD = 0xae;
const READ_INPUT_PORT = 0xc0;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_OUTPUT = 0xd2;
const WRITE_AUX_OUTPUT = 0xd3;
const WRITE_AUX = 0xd4;
const PULSE_OUTPUT = 0xf0;
const RAM_BYTES = 32;

const SELF_TEST_PASSED = 0x55;
const LINE_TEST_PASSED = 0x00;
const INPUT_PORT = 0x80;

// Output port; RESET# is low active
const OUTPUT_RESET = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_FULL = 0x10;
const OUTPUT_AUX_FULL = 0x20;

export interface I8042Lines {
  irq1: Line;
  irq12: Line;
  a20: Line;
  resetCpu(): void;
}

export interface SavedI8042 {
  version: 1;
  ram: number[];
  outputPort: number;
  full: boolean;
  fromAux: boolean;
  data: number;
  command: number;
  lastWasCommand: boolean;
  breaking: boolean;
  keyboard: SavedPs2Keyboard;
  mouse: SavedPs2Mouse;
}

export class I8042 implements PortDevice {
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  /** Byte 0 is the command byte. */
  private readonly ram = new Uint8Array(RAM_BYTES);
  private outputPort = OUTPUT_RESET | OUTPUT_A20;
  private full = false;
  private fromAux = false;
  private data = 0;
  /** Command that waits for its data byte; 0: none. */
  private command = 0;
  private lastWasCommand = false;
  private readonly translator = new Set2ToSet1();

  constructor(
    private readonly lines: I8042Lines,
    ledsChanged?: (leds: number) => void,
  ) {
    this.keyboard = new Ps2Keyboard(() => this.poll(), ledsChanged);
    this.mouse = new Ps2Mouse(() => this.poll());
    this.ram[0] = COMMAND_BYTE_AFTER_RESET;
  }

  attach(ports: PortBus): void {
    ports.map(DATA, 1, this);
    ports.map(STATUS, 1, this);
  }

  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.ram.fill(0);
    this.ram[0] = COMMAND_BYTE_AFTER_RESET;
    this.full = this.fromAux = this.lastWasCommand = this.translator.breaking = false;
    this.command = this.data = 0;
    this.setOutputPort(OUTPUT_RESET | OUTPUT_A20);
    this.update();
  }

  private get commandByte(): number {
    return this.ram[0]!;
  }

  /** Puts the next byte of a device into the output buffer if that is empty. */
  private poll(): void {
    while (!this.full && !(this.commandByte & KEYBOARD_DISABLED)) {
      const byte = this.keyboard.next();
      if (byte === undefined) break;
      const code = this.commandByte & TRANSLATE ? this.translator.translate(byte) : byte;
      if (code !== undefined) this.put(code, false);
    }
    if (!this.full && !(this.commandByte & AUX_DISABLED)) {
      const byte = this.mouse.next();
      if (byte !== undefined) this.put(byte, true);
    }
    this.update();
  }

  private put(byte: number, fromAux: boolean): void {
    this.data = byte;
    this.full = true;
    this.fromAux = fromAux;
    this.update();
  }

  private update(): void {
    this.lines.irq1(this.full && !this.fromAux && (this.commandByte & KEYBOARD_INTERRUPT) !== 0);
    this.lines.irq12(this.full && this.fromAux && (this.commandByte & AUX_INTERRUPT) !== 0);
  }

  readPort(port: number): number {
    if (port === STATUS) return this.status();
    const { data } = this;
    this.full = false;
    this.update();
    this.poll();
    return data;
  }

  private status(): number {
    return (
      STATUS_UNLOCKED |
      (this.commandByte & SYSTEM_FLAG ? STATUS_SYSTEM : 0) |
      (this.lastWasCommand ? STATUS_COMMAND : 0) |
      (this.full ? STATUS_OUTPUT_FULL | (this.fromAux ? STATUS_AUX_DATA : 0) : 0)
    );
  }

  writePort(port: number, value: number): void {
    this.lastWasCommand = port === STATUS;
    if (port === STATUS) this.execute(value);
    else this.writeData(value);
  }

  private execute(command: number): void {
    this.command = 0;
    if (command >= READ_RAM && command < READ_RAM + RAM_BYTES)
      return this.put(this.ram[command & 0x1f]!, false);
    if (command >= WRITE_RAM && command < WRITE_RAM + RAM_BYTES) {
      this.command = command;
      return;
    }
    // The low nibble names the output port bits that are pulsed low; only the reset line is wired.
    if (command >= PULSE_OUTPUT) {
      if (!(command & OUTPUT_RESET)) this.lines.resetCpu();
      return;
    }
    switch (command) {
      case DISABLE_AUX:
        return this.setCommandByte(this.commandByte | AUX_DISABLED);
      case ENABLE_AUX:
        return this.setCommandByte(this.commandByte & ~AUX_DISABLED);
      case DISABLE_KEYBOARD:
        return this.setCommandByte(this.commandByte | KEYBOARD_DISABLED);
      case ENABLE_KEYBOARD:
        return this.setCommandByte(this.commandByte & ~KEYBOARD_DISABLED);
      case TEST_AUX:
      case TEST_KEYBOARD:
        return this.put(LINE_TEST_PASSED, false);
      case SELF_TEST:
        this.setCommandByte(this.commandByte | SYSTEM_FLAG);
        return this.put(SELF_TEST_PASSED, false);
      case READ_INPUT_PORT:
        return this.put(INPUT_PORT, false);
      case READ_OUTPUT_PORT:
        return this.put(this.readOutputPort(), false);
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_OUTPUT:
      case WRITE_AUX_OUTPUT:
      case WRITE_AUX:
        this.command = command;
    }
  }

  private writeData(value: number): void {
    const { command } = this;
    this.command = 0;
    if (command >= WRITE_RAM && command < WRITE_RAM + RAM_BYTES) {
      if (command === WRITE_RAM) this.setCommandByte(value);
      else this.ram[command & 0x1f] = value;
      return;
    }
    switch (command) {
      case WRITE_OUTPUT_PORT:
        return this.setOutputPort(value);
      case WRITE_KEYBOARD_OUTPUT:
        return this.put(value, false);
      case WRITE_AUX_OUTPUT:
        return this.put(value, true);
      case WRITE_AUX:
        this.setCommandByte(this.commandByte & ~AUX_DISABLED);
        return this.mouse.receive(value);
      default:
        // Data for the keyboard switches its clock on.
        this.setCommandByte(this.commandByte & ~KEYBOARD_DISABLED);
        this.keyboard.receive(value);
    }
  }

  private setCommandByte(value: number): void {
    this.ram[0] = value & COMMAND_BYTE_WRITABLE;
    this.poll();
  }

  private readOutputPort(): number {
    const full = this.full ? (this.fromAux ? OUTPUT_AUX_FULL : OUTPUT_KEYBOARD_FULL) : 0;
    return this.outputPort | full;
  }

  private setOutputPort(value: number): void {
    this.outputPort = value & (OUTPUT_RESET | OUTPUT_A20);
    this.lines.a20((value & OUTPUT_A20) !== 0);
    if (!(value & OUTPUT_RESET)) this.lines.resetCpu();
  }

  save(): SavedI8042 {
    const { outputPort, full, fromAux, data, command, lastWasCommand } = this;
    return {
      version: 1,
      ram: [...this.ram],
      outputPort,
      full,
      fromAux,
      data,
      command,
      lastWasCommand,
      breaking: this.translator.breaking,
      keyboard: this.keyboard.save(),
      mouse: this.mouse.save(),
    };
  }

  load(state: SavedI8042): void {
    checkVersion('the keyboard controller', state, 1);
    const { outputPort, full, fromAux, data, command, lastWasCommand } = state;
    Object.assign(this, { outputPort, full, fromAux, data, command, lastWasCommand });
    this.ram.set(state.ram);
    this.translator.breaking = state.breaking;
    this.keyboard.load(state.keyboard);
    this.mouse.load(state.mouse);
  }
}
