import type { BoardAccess } from '../engine/cpu.js';
import { A20Gate } from '../machine/a20.js';
import type { Drive } from '../machine/drive.js';
import type { EventQueue } from '../machine/events.js';
import type { GuestRam } from '../machine/guest-ram.js';
import { ApicBus } from '../machine/interrupts/apic-bus.js';
import { I8259Pair } from '../machine/interrupts/i8259-pair.js';
import { FREE_GSIS, InterruptRouter } from '../machine/interrupts/interrupt-router.js';
import { IO_APIC_BYTES, IoApic } from '../machine/interrupts/io-apic.js';
import { LocalApic, type CpuLines } from '../machine/interrupts/local-apic.js';
import { HPET_BASE, IO_APIC_BASE, VGA_WINDOW, VGA_WINDOW_END } from '../machine/memory-map.js';
import { MmioBus } from '../machine/mmio-bus.js';
import type { PlaceWindow } from '../machine/pci/pci-bar.js';
import { I440fx } from '../machine/pci/i440fx.js';
import { PciBus } from '../machine/pci/pci-bus.js';
import { PciHotPlug } from '../machine/pci/pci-hot-plug.js';
import { Piix3 } from '../machine/pci/piix3.js';
import { Piix4Pm, SCI_IRQ } from '../machine/pci/piix4-pm.js';
import { RESET_CONTROL, ResetControl } from '../machine/pci/reset-control.js';
import { PORT_92, Port92 } from '../machine/port92.js';
import { PortBus, type AccessSize } from '../machine/port-bus.js';
import { checkVersion, type Saveable } from '../machine/state.js';
import { Vga } from './display/vga.js';
import { DebugConsole } from './debug/debug-console.js';
import { DebugExit } from './debug/debug-exit.js';
import { I8042 } from './input/i8042.js';
import { DmaControllers } from './legacy/dma8237.js';
import { KvmCalls } from './paravirt/kvm-calls.js';
import { KvmClock } from './paravirt/kvm-clock.js';
import { KvmSteal } from './paravirt/kvm-steal.js';
import { COM1, COM2, Uart16550, type SerialBackend } from './serial/uart16550.js';
import { FLOPPY_IRQ, FloppyController } from './storage/floppy-controller.js';
import { IDE_IRQS, IdeController } from './storage/ide-controller.js';
import { HPET_BYTES, Hpet } from './timers/hpet.js';
import { I8254 } from './timers/i8254.js';
import { Mc146818 } from './timers/mc146818.js';
import { VmwarePointer } from './input/vmware-pointer.js';
import { Port61 } from './timers/port61.js';
import { VirtioPci } from './virtio/virtio-pci.js';
import { VirtioRng, type Entropy } from './virtio/virtio-rng.js';

/** PCI slots of bus 0. */
const HOST_BRIDGE_SLOT = 0;
const PIIX_SLOT = 1;
const PIIX_IDE = 1;
const PIIX_POWER_MANAGEMENT = 3;
const DISPLAY_SLOT = 2;
const RNG_SLOT = 3;

const KEYBOARD_IRQ = 1;
const MOUSE_IRQ = 12;
const LINT0 = 0;
const LINT1 = 1;
/** Where the 8259 pair enters the I/O APIC. */
const EXT_INT_PIN = 0;

export interface PcBoardOptions {
  events: EventQueue;
  ram: GuestRam;
  cpus: readonly CpuLines[];
  /** APIC id of each CPU; its number where none are given. */
  apicIds?: readonly number[];
  /** Where each CPU's local APIC has the registers that all threads use. */
  apicWords?: (cpu: number) => Int32Array;
  /** Milliseconds since 1970, UTC, at power-on. */
  wallClockMs: number;
  /** What the real-time clock shows, where the guest keeps local time in it; `wallClockMs` when not given. */
  rtcClockMs?: number;
  /** COM1 and COM2; nothing is connected where none is given. */
  serial: readonly (SerialBackend | undefined)[];
  entropy: Entropy;
  /** Bytes that the guest writes to port 0xE9. */
  debugConsole?: (byte: number) => void;
  /** The value that the guest writes to port 0xF4; without it the port is not there. */
  debugExit?: (value: number) => void;
  /** These come in the midst of a guest's access: what they ask for is to be done when the CPU has stopped. */
  powerOff: () => void;
  reset: () => void;
  a20?: (enabled: boolean) => void;
  keyboardLeds?: (leds: number) => void;
  /** Memory of the display, and what shows it to the guest; without it there is no display. */
  /** Drives on the IDE controller: primary master and slave, secondary master and slave. */
  ide?: readonly (Drive | undefined)[];
  /** Floppy drives A and B. */
  floppies?: readonly (Drive | undefined)[];
  display?: { memory: Uint8Array; window: PlaceWindow };
}

/** A card that decodes ports of its own. */
export interface IsaCard extends Saveable {
  attach(ports: PortBus): void;
  reset(): void;
}

/**
 * The PC: i440FX and PIIX with all that is on the board, joined. Before anything else it wants a `reset`, which
 * the constructor leaves to its caller, so that the CPUs may be made after the board.
 */
export class PcBoard implements BoardAccess {
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly apicBus = new ApicBus();
  readonly localApics: readonly LocalApic[];
  readonly pic: I8259Pair;
  readonly ioApic: IoApic;
  readonly router: InterruptRouter;
  readonly pci: PciBus;
  readonly powerManagement: Piix4Pm;
  readonly hotPlug: PciHotPlug;
  readonly pit: I8254;
  readonly rtc: Mc146818;
  readonly hpet: Hpet;
  readonly keyboard: I8042;
  readonly pointer: VmwarePointer;
  /** The CPU that is using a port. */
  private asking = 0;
  readonly serial: readonly Uart16550[];
  readonly vga: Vga | null;
  readonly kvmClock: KvmClock;
  private readonly kvmCalls: KvmCalls;
  private readonly kvmSteal: KvmSteal;
  readonly events: EventQueue;
  readonly ram: GuestRam;
  private readonly entropy: Entropy;
  private readonly resetControl: ResetControl;
  private readonly port92: Port92;
  private readonly port61: Port61;
  private readonly a20: A20Gate;
  private readonly dma: DmaControllers;
  private readonly floppy: FloppyController;
  readonly floppies: readonly (Drive | undefined)[];
  /** ISA cards that were put in, by name. */
  private readonly cards: [name: string, card: IsaCard][] = [];
  private readonly randomWord = new BigUint64Array(1);

  constructor(options: PcBoardOptions) {
    const { events, ram, cpus } = options;
    const { ports, mmio, apicBus } = this;
    this.events = events;
    this.ram = ram;
    this.entropy = options.entropy;

    this.pic = new I8259Pair((asserted) => this.externalInterrupt(asserted));
    const apicIds = options.apicIds ?? cpus.map((_, cpu) => cpu);
    this.localApics = cpus.map(
      (cpu, n) => new LocalApic(apicIds[n]!, apicBus, cpu, this.pic, events, options.apicWords?.(n)),
    );
    this.ioApic = new IoApic(apicBus);
    this.router = new InterruptRouter(this.pic, this.ioApic);
    this.pic.attach(ports);
    mmio.map(IO_APIC_BASE, IO_APIC_BYTES, this.ioApic);

    this.a20 = new A20Gate(options.a20 ?? (() => {}));
    this.port92 = new Port92(this.a20.setFast, options.reset);
    ports.map(PORT_92, 1, this.port92);
    this.resetControl = new ResetControl(options.reset, options.reset);
    // Before the PCI configuration ports, which lie around it.
    ports.map(RESET_CONTROL, 1, this.resetControl);

    this.pci = new PciBus(ports, mmio, this.router, apicBus.sendMessage);
    this.pci.plug(HOST_BRIDGE_SLOT, 0, new I440fx());
    this.pci.plug(PIIX_SLOT, 0, new Piix3((pirq, irq) => this.router.route(pirq, irq)));
    const ide = new IdeController(
      options.ide ?? [],
      ram,
      IDE_IRQS.map((irq) => this.router.isaLine(irq)),
    );
    ide.attach(ports);
    this.pci.plug(PIIX_SLOT, PIIX_IDE, ide);
    this.powerManagement = new Piix4Pm(events, this.router.isaLine(SCI_IRQ), options.powerOff);
    this.pci.plug(PIIX_SLOT, PIIX_POWER_MANAGEMENT, this.powerManagement);
    this.hotPlug = new PciHotPlug(this.router.isaLine(SCI_IRQ));
    this.hotPlug.attach(ports);
    this.vga = options.display ? new Vga(options.display.memory, options.display.window, events.clock) : null;
    if (this.vga) {
      this.vga.attach(ports);
      mmio.map(VGA_WINDOW, VGA_WINDOW_END - VGA_WINDOW, this.vga.memory);
      this.pci.plug(DISPLAY_SLOT, 0, this.vga);
    }
    this.pci.plug(RNG_SLOT, 0, new VirtioPci(new VirtioRng(ram, options.entropy), ram));

    const gsis = new Map(FREE_GSIS.map((gsi) => [gsi, this.router.gsiLine(gsi)]));
    this.hpet = new Hpet(events, { irq0: this.router.isaLine(0), irq8: this.router.isaLine(8), gsis });
    mmio.map(HPET_BASE, HPET_BYTES, this.hpet);
    this.pit = new I8254(events, this.hpet.pitLine);
    this.pit.attach(ports);
    this.port61 = new Port61(this.pit);
    this.port61.attach(ports);
    this.rtc = new Mc146818(events, this.hpet.rtcLine, options.rtcClockMs ?? options.wallClockMs);
    this.rtc.attach(ports);

    this.keyboard = new I8042(
      {
        irq1: this.router.isaLine(KEYBOARD_IRQ),
        irq12: this.router.isaLine(MOUSE_IRQ),
        a20: this.a20.setKeyboard,
        resetCpu: options.reset,
      },
      options.keyboardLeds,
    );
    this.keyboard.attach(ports);
    this.pointer = new VmwarePointer(
      () => {
        const cpu = cpus[this.asking]!;
        return { get: (n) => cpu.register(n), set: (n, value) => cpu.setRegister(n, value) };
      },
      () => this.keyboard.mouse.move(0, 0, 0, 0),
    );
    this.pointer.attach(ports);
    this.serial = [COM1, COM2].map(({ base, irq }, index) => {
      const backend = options.serial[index] ?? { write: () => {} };
      const uart = new Uart16550(events, `COM${index + 1}`, base, this.router.isaLine(irq), backend);
      uart.attach(ports);
      return uart;
    });
    this.dma = new DmaControllers();
    this.dma.attach(ports);
    this.floppies = options.floppies ?? [];
    this.floppy = new FloppyController(this.floppies, ram, this.dma, this.router.isaLine(FLOPPY_IRQ));
    this.floppy.attach(ports);
    new DebugConsole(options.debugConsole ?? (() => {})).attach(ports);
    if (options.debugExit) new DebugExit(options.debugExit).attach(ports);

    this.kvmCalls = new KvmCalls({
      apicBus,
      kick: (id) => cpus[apicIds.indexOf(id)]?.kick(),
      yield: (cpu) => cpus[cpu]!.yield(),
    });
    this.kvmSteal = new KvmSteal(ram, cpus.length, (cpu, physical) => cpus[cpu]!.stealTime(physical));
    this.kvmClock = new KvmClock(ram, options.wallClockMs, cpus.length, (cpu) => cpus[cpu]!.tscOffset());
  }

  /** Puts an ISA card in. Its state is saved under `name`. */
  addCard(name: string, card: IsaCard): void {
    card.attach(this.ports);
    this.cards.push([name, card]);
  }

  /** Hardware reset of everything but the CPUs and memory. The clock goes on. */
  reset(): void {
    for (const device of [this.pci, this.pic, this.ioApic]) device.reset();
    for (const apic of this.localApics) apic.reset();
    for (const device of [this.floppy, this.hpet, this.pit, this.port61, this.rtc, this.dma, ...this.serial])
      device.reset();
    for (const [, card] of this.cards) card.reset();
    this.hotPlug.reset();
    this.keyboard.reset();
    this.pointer.reset();
    this.port92.reset();
    this.resetControl.reset();
    this.kvmClock.reset();
    this.kvmSteal.reset();
  }

  private externalInterrupt(asserted: boolean): void {
    this.ioApic.setPin(EXT_INT_PIN, asserted);
    for (const apic of this.localApics) apic.setLint(LINT0, asserted);
  }

  /** A non-maskable interrupt from outside, as a button makes it. */
  injectNmi(): void {
    for (const apic of this.localApics) {
      apic.setLint(LINT1, true);
      apic.setLint(LINT1, false);
    }
  }

  /** What was due before an access must have happened when the guest looks. */
  private catchUp(): void {
    const next = this.events.next();
    if (next === undefined) return;
    const now = this.events.clock.now();
    if (next <= now) this.events.runDue(now);
  }

  // ---- what the CPUs ask

  portRead(cpu: number, port: number, size: AccessSize): number {
    this.catchUp();
    this.asking = cpu;
    return this.ports.read(port & 0xffff, size);
  }

  portWrite(_cpu: number, port: number, size: AccessSize, value: number): void {
    this.catchUp();
    this.ports.write(port & 0xffff, value, size);
  }

  /** The local APIC page is each CPU's own. */
  private ownApic(cpu: number, physical: number): LocalApic | undefined {
    const apic = this.localApics[cpu];
    return apic?.decodes(physical) ? apic : undefined;
  }

  mmioRead(cpu: number, physical: number, size: AccessSize): number {
    this.catchUp();
    const apic = this.ownApic(cpu, physical);
    return apic ? apic.mmioRead(physical & 0xfff, size) : this.mmio.read(physical, size);
  }

  mmioWrite(cpu: number, physical: number, size: AccessSize, value: number): void {
    this.catchUp();
    const apic = this.ownApic(cpu, physical);
    if (apic) apic.mmioWrite(physical & 0xfff, value >>> 0, size);
    else this.mmio.write(physical, value, size);
  }

  mmioRead64(cpu: number, physical: number): bigint {
    if (!this.ownApic(cpu, physical)) {
      this.catchUp();
      return this.mmio.read64(physical);
    }
    const low = BigInt(this.mmioRead(cpu, physical, 4) >>> 0);
    return low | (BigInt(this.mmioRead(cpu, physical + 4, 4) >>> 0) << 32n);
  }

  mmioWrite64(cpu: number, physical: number, value: bigint): void {
    if (!this.ownApic(cpu, physical)) {
      this.catchUp();
      this.mmio.write64(physical, value);
      return;
    }
    this.mmioWrite(cpu, physical, 4, Number(BigInt.asUintN(32, value)));
    this.mmioWrite(cpu, physical + 4, 4, Number(BigInt.asUintN(32, value >> 32n)));
  }

  msrRead(cpu: number, index: number): bigint | undefined {
    this.catchUp();
    return (
      this.localApics[cpu]!.readMsr(index) ??
      this.kvmClock.readMsr(cpu, index) ??
      this.kvmSteal.readMsr(cpu, index)
    );
  }

  msrWrite(cpu: number, index: number, value: bigint): boolean {
    this.catchUp();
    const unsigned = BigInt.asUintN(64, value);
    return (
      this.localApics[cpu]!.writeMsr(index, unsigned) ||
      this.kvmClock.writeMsr(cpu, index, unsigned) ||
      this.kvmSteal.writeMsr(cpu, index, unsigned)
    );
  }

  /** The TSC offset of a CPU changed. */
  tscChanged(cpu: number): void {
    this.localApics[cpu]!.timer.tscChanged();
    this.kvmClock.tscChanged(cpu);
  }

  tprRead(cpu: number): number {
    return this.localApics[cpu]!.tpr >> 4;
  }

  tprWrite(cpu: number, value: number): void {
    this.localApics[cpu]!.tpr = (value & 0xf) << 4;
  }

  now(_cpu: number): number {
    return this.events.clock.now();
  }

  random(): bigint {
    this.entropy(new Uint8Array(this.randomWord.buffer));
    return this.randomWord[0]!;
  }

  hypercall(cpu: number, number: bigint, args: readonly bigint[]): bigint {
    this.catchUp();
    return this.kvmCalls.call(cpu, number, args);
  }

  hasInterrupt(cpu: number): boolean {
    return this.localApics[cpu]!.hasInterrupt();
  }

  acknowledge(cpu: number): number {
    return this.localApics[cpu]!.acknowledge();
  }

  // ---- state

  private get components(): [name: string, component: Saveable][] {
    const apics = this.localApics.map((apic, index): [string, Saveable] => [`local APIC ${index}`, apic]);
    const uarts = this.serial.map((uart, index): [string, Saveable] => [`COM${index + 1}`, uart]);
    return [
      ['events', this.events],
      ['router', this.router],
      ['8259', this.pic],
      ['I/O APIC', this.ioApic],
      ...apics,
      ['PCI', this.pci],
      ['hot plug', this.hotPlug],
      ['A20', this.a20],
      ['port 92', this.port92],
      ['port 61', this.port61],
      ['reset control', this.resetControl],
      ['HPET', this.hpet],
      ['8254', this.pit],
      ['RTC', this.rtc],
      ['8042', this.keyboard],
      ['pointer', this.pointer],
      ...uarts,
      ['DMA', this.dma],
      ['floppy', this.floppy],
      ['kvmclock', this.kvmClock],
      ['steal time', this.kvmSteal],
      ...this.cards,
    ];
  }

  /** The state of the board and its events; clock, CPUs and memory are saved beside it. */
  save(): { version: 1; components: Record<string, object> } {
    const components = this.components.map(([name, component]) => [name, component.save()]);
    return { version: 1, components: Object.fromEntries(components) as Record<string, object> };
  }

  /** Into a board made with the same options; the clock is loaded before. */
  load(state: ReturnType<PcBoard['save']>): void {
    checkVersion('the board', state, 1);
    for (const [name, component] of this.components) component.load(state.components[name]!);
  }
}
