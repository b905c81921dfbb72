/** The BIOS: what the doors in ROM (rom.ts) lead to. */
import type { PortDevice, AccessSize } from '../../machine/port-bus.js';
import { writeBiosData } from '../boot/bios-data.js';
import { bootMemory } from '../boot/boot-request.js';
import type { BootState } from '../boot/boot-state.js';
import { EBDA } from '../boot/memory-map.js';
import * as B from './bda.js';
import { Boot } from './boot.js';
import { ClockService } from './clock.js';
import { Cmos } from './cmos.js';
import { Disks } from './disks.js';
import { FONT_8 } from './font.js';
import { Frame } from './frame.js';
import { Keyboard } from './keyboard.js';
import type { BiosMachine } from './machine.js';
import { PciConfig } from './pci-config.js';
import { pciService } from './pci-service.js';
import { Pxe } from './pxe/pxe.js';
import { realModeState } from './real-mode.js';
import {
  AGAIN,
  DONE,
  EVENT_KEY,
  EVENT_PORT,
  EVENT_TICK,
  interruptVectors,
  PXE_CALL,
  PXENV_CALL,
  ROM_SEGMENT,
  SERVICE_PORT,
  STACK_PORT,
  systemRom,
  type Outcome,
  type Rom,
} from './rom.js';
import { serialService } from './serial-service.js';
import { SystemService } from './system-service.js';
import { Video } from './video.js';
import { VIDEO_SEGMENT, videoRom } from './video-rom.js';

const PORTS = 4;
/** Coprocessor, colour display with 80 columns, PS/2 mouse, two serial ports; drives are counted later. */
const EQUIPMENT = 0x0002 | 0x0020 | 0x0004 | (2 << 9);
const STACK_TOP = 0x7c00;
const VIDEO_MODE = 3;
const PIC_MASK = 0x21;
const TIMER_AND_KEYBOARD = 0xf8;
const PIT_CONTROL = 0x43;
const PIT_COUNTER_0 = 0x40;
const KEYBOARD_DATA = 0x60;
const KEYBOARD_COMMAND = 0x64;
const WRITE_COMMAND_BYTE = 0x60;
/** Interrupts of the keyboard, translated to set 1, mouse off. */
const COMMAND_BYTE = 0x65;
const SCAN_ON = 0xf4;
const PXE_INSTALLATION_CHECK = 0x5650;

export class Bios implements PortDevice {
  private readonly rom: Rom;
  private readonly videoRom: Rom;
  private readonly video: Video;
  private readonly keyboard: Keyboard;
  private readonly disks: Disks;
  private readonly system: SystemService;
  private readonly clock: ClockService;
  private readonly boot: Boot;
  private readonly pci: PciConfig;
  private readonly pxe: Pxe;
  private stackSegment = 0;
  private outcome: Outcome = DONE;
  private scanCode = 0;

  constructor(private readonly machine: BiosMachine) {
    this.rom = systemRom(FONT_8.subarray(0, 128 * 8));
    this.pci = new PciConfig(machine.ports);
    this.videoRom = videoRom();
    this.video = new Video(machine, this.videoRom);
    this.keyboard = new Keyboard(machine.ram);
    this.disks = new Disks(machine, this.rom);
    this.system = new SystemService(machine, this.rom);
    this.clock = new ClockService(machine.ram, new Cmos(machine.ports));
    this.pxe = new Pxe(machine.ram, this.rom, this.pci, () => machine.rest());
    const { rom, disks, keyboard, pxe } = this;
    this.boot = new Boot(machine, { rom, disks, keyboard, pxe }, (text) => this.say(text));
    machine.ports.map(STACK_PORT, PORTS, this, 2);
  }

  /**
   * Power-on self-test without the test: ROMs, vectors and data are put where they belong, devices set up. Gives the state in
   * which the processor starts. The board is set up as a BIOS leaves it, and tables lie below the ROM's code.
   */
  start(): BootState {
    const { ram } = this.machine;
    const video = this.videoRom;
    // The tables at F0000 stay.
    const first = 0xe000;
    ram.write(ROM_SEGMENT * 16 + first, this.rom.bytes.subarray(first));
    ram.write(VIDEO_SEGMENT * 16, video.bytes);
    ram.write(0, interruptVectors(this.rom, { 0x10: [VIDEO_SEGMENT, video.offset('int10')] }));
    ram.write(B.BDA, new Uint8Array(B.BDA_BYTES));
    writeBiosData(bootMemory(ram));
    ram.writeU16(B.EQUIPMENT, EQUIPMENT);
    ram.writeU16(B.BASE_KIB, EBDA / 1024);
    this.setUpDevices();
    this.keyboard.reset();
    this.disks.reset();
    this.system.reset();
    this.clock.reset();
    this.pxe.reset();
    this.boot.reset();
    this.outcome = DONE;
    this.video.setMode(VIDEO_MODE, false);
    this.say('Vivarium BIOS\r\n\r\n');
    return realModeState(ROM_SEGMENT, this.rom.offset('start'), STACK_TOP);
  }

  private setUpDevices(): void {
    const { ports } = this.machine;
    const out = (port: number, value: number): void => ports.write(port, value, 1);
    // 18.2 interrupts a second.
    out(PIT_CONTROL, 0x36);
    out(PIT_COUNTER_0, 0);
    out(PIT_COUNTER_0, 0);
    out(KEYBOARD_COMMAND, WRITE_COMMAND_BYTE);
    out(KEYBOARD_DATA, COMMAND_BYTE);
    out(KEYBOARD_DATA, SCAN_ON);
    // The keyboard's answer.
    ports.read(KEYBOARD_DATA, 1);
    out(PIC_MASK, TIMER_AND_KEYBOARD);
  }

  private say(text: string): void {
    for (const letter of text) this.video.teletype(letter.charCodeAt(0), 0, 7);
  }

  readPort(port: number): number {
    if (port === STACK_PORT) return this.outcome;
    if (port === EVENT_PORT) return this.system.mouse.interrupt() ? 1 : 0;
    return 0xff;
  }

  writePort(port: number, value: number, size: AccessSize): void {
    if (port === STACK_PORT) this.stackSegment = value;
    else if (port === EVENT_PORT) this.event(value);
    else if (port === SERVICE_PORT) {
      if (size === 1) this.scanCode = value;
      else this.service(value);
    }
  }

  private event(event: number): void {
    if (event === EVENT_TICK) {
      this.clock.tick();
      this.system.tick();
    } else if (event === EVENT_KEY) this.keyboard.scanCode(this.scanCode);
  }

  private service(stackPointer: number): void {
    const { ram } = this.machine;
    const base = this.stackSegment * 16 + stackPointer;
    // Registers on a stack that is no RAM cannot be answered.
    this.outcome = ram.contains(base, 64) ? this.serve(new Frame(ram, base)) : DONE;
  }

  private serve(frame: Frame): Outcome {
    const { ram, ports } = this.machine;
    switch (frame.vector) {
      case 0x10:
        this.video.call(frame);
        return DONE;
      case 0x11:
        frame.ax = ram.readU16(B.EQUIPMENT);
        return DONE;
      case 0x12:
        frame.ax = ram.readU16(B.BASE_KIB);
        return DONE;
      case 0x13:
        return this.disks.call(frame) ? AGAIN : DONE;
      case 0x14:
        serialService(frame, ram, ports);
        return DONE;
      case 0x15:
        return this.system.call(frame);
      case 0x16:
        return this.keyboard.call(frame) ? AGAIN : DONE;
      case 0x17:
        // No printer: timed out.
        frame.ah = 0x01;
        return DONE;
      case 0x18:
      case 0x19:
        return this.boot.call(frame);
      case 0x1a:
        if (frame.ah === 0xb1) pciService(frame, this.pci);
        else if (frame.ax === PXE_INSTALLATION_CHECK && this.pxe.announce(frame)) return DONE;
        else if (!this.clock.call(frame)) frame.unsupported();
        return DONE;
      case PXE_CALL:
        return this.pxe.callByStack(frame);
      case PXENV_CALL:
        return this.pxe.callByRegisters(frame);
      default:
        return DONE;
    }
  }
}
