import type { BoardAccess, CpuCounts } from '../engine/cpu.js';
import { installCpuModel, type CpuModel } from '../engine/cpu-model.js';
import type { CpuTopology } from '../engine/cpu-topology.js';
import { Engine, type EngineKind, type EngineModules, type EngineOptions } from '../engine/engine.js';
import * as L from '../engine/layout.js';
import { orderedModules } from '../engine/ordered-modules.js';
import type { Processor } from '../engine/processor.js';
import type { HotBlock } from '../engine/remote-board.js';
import { hypercall } from '../engine/runtime-module.js';
import type { Translator } from '../engine/translator/translator.js';
import type { NorFlash } from '../devices/legacy/nor-flash.js';
import { PcBoard } from '../devices/pc-board.js';
import { setUpAsBios } from '../devices/power-on-setup.js';
import { UserError } from '../machine/user-error.js';
import type { SerialBackend } from '../devices/serial/uart16550.js';
import type { Entropy } from '../devices/virtio/virtio-rng.js';
import { VGA_MEMORY_BYTES } from '../devices/display/vga.js';
import { Bios } from '../firmware/bios/bios.js';
import { BOOT_ORDER, type BiosDrive, type BootDevice } from '../firmware/bios/machine.js';
import { bootKernel } from '../firmware/boot/boot-kernel.js';
import { bootMemory, type BootFile } from '../firmware/boot/boot-request.js';
import { firmwareTables, type MachineShape } from '../firmware/tables/firmware-tables.js';
import type { Cable } from '../machine/cable.js';
import { RealClock, VirtualClock } from '../machine/clock.js';
import { EventQueue } from '../machine/events.js';
import { GuestRam } from '../machine/guest-ram.js';
import { ramLayout } from '../machine/memory-map.js';
import { enterKernel, setMemoryTypes } from './boot-cpu.js';
import { countingBoard } from './counting-board.js';
import { CpuCap } from './cpu-cap.js';
import type { BootNetwork } from './boot-network.js';
import { biosDrive, type ImageDrive } from './image-drive.js';
import {
  firmwareConfiguration,
  plugVariables,
  placeFirmware,
  type FirmwareSettings,
  type PackagedFirmware,
} from './packaged-firmware.js';
import { apicWords } from './own-apics.js';
import { FIRST_FREE_SLOT } from '../machine/pci/pci-bus.js';
import { MOST_CARDS, plugCards, plugPciCard, type CardOptions } from './plug-cards.js';
import { floppyPlaces, idePlaces, plugDrives } from './plug-drives.js';
import { describeCpu } from './report.js';
import { Scheduler, type SchedulerHost } from './scheduler.js';
import { Threads, type ThreadHost } from './threads.js';

export interface VirtualMachineOptions {
  readonly memoryBytes: number;
  readonly topology: CpuTopology;
  /** Nodes of non-uniform memory that the firmware tells of. */
  readonly nodes?: number;
  readonly engine: EngineKind;
  /** With engine `translate`: executions after which code is translated. */
  readonly heat?: number;
  readonly cpuModel: CpuModel;
  readonly virtualClock: boolean;
  readonly debugExit: boolean;
  readonly modules: EngineModules;
  /** Monotonic whole nanoseconds of the host. */
  readonly hostNow: () => number;
  /** Milliseconds since 1970, UTC, at power-on. */
  readonly wallClockMs: number;
  readonly entropy: Entropy;
  readonly pacing: SchedulerHost;
  /** Percent of a core of the host that the machine may use; all when not given. */
  readonly cpuCap?: number;
  /** Runs CPUs in several threads where the host has them; null: all in this one. */
  readonly threads: ThreadHost | null;
  /** Serial port 1. */
  readonly serial: SerialBackend;
  readonly debugConsole: SerialBackend;
  /** Grows and shrinks as drives are attached and detached. */
  readonly drives?: ImageDrive[];
  readonly cards?: readonly CardOptions[];
  /** Which kinds of drives the BIOS tries, in this order, and whether it asks first. */
  readonly bootOrder?: readonly BootDevice[];
  readonly bootMenu?: boolean;
  /** Starts instead of our own BIOS. */
  readonly firmware?: PackagedFirmware;
  /** Something of the host's keeps a drive from going on; the machine rests until `resume`. */
  readonly onTrouble?: (message: string) => void;
  /** A card, by its number from 1, was taken out. */
  readonly onCardGone?: (number: number) => void;
  /** The machine stands still from now on, or goes on. */
  readonly onPaused?: (paused: boolean) => void;
  /** An image is broken where the guest asked: it got an error, and goes on. */
  readonly onFailure?: (message: string) => void;
}

export interface BootFiles {
  readonly kernel: BootFile;
  readonly modules: readonly BootFile[];
  readonly commandLine: string;
}

/** Why a machine ended. */
export type MachineEnd =
  | { kind: 'power-off' }
  | { kind: 'debug-exit'; value: number }
  | { kind: 'quit' }
  | { kind: 'timeout' }
  | { kind: 'shutdown'; report: string };

/** How several CPUs run: at once in so many threads, or in turns; with virtual time the same way each time. `fences`: they keep x86's order of memory, which the host does not. */
export interface MachineMode {
  readonly kind: 'parallel' | 'turns' | 'deterministic';
  readonly threads: number;
  readonly fences: boolean;
}

/** What a run did, for statistics. */
export interface MachineCounts {
  readonly instructions: number;
  readonly tiers: Partial<Record<EngineKind, number>>;
  readonly cpus: readonly { instructions: number; interrupts: number; halts: number; faults: number }[];
  readonly exits: CpuCounts & { interrupts: number; halts: number; faults: number };
  readonly decodedInstructions: number;
  /** What the translator made. */
  readonly translator: Translator['counts'] | null;
}

/** How many threads beside this one can run CPUs of a machine. */
function threadsBeside({ threads, topology, virtualClock, engine }: VirtualMachineOptions): number {
  if (threads === null || virtualClock || engine === 'reference') return 0;
  return Math.min(topology.cpus, threads.parallel) - 1;
}

/** Instructions for which the time-stamp counter is reckoned: some 10 µs. */
const TSC_STEPS = 4096;
/** Windows of the engine (Engine.windows). */
const DISPLAY_WINDOW = 0;
const FIRMWARE_WINDOW = 1;
/** Held when the machine starts, it has the BIOS ask what to start from. */
const BOOT_MENU_KEY = 'F12';

/** The engine, or a UserError if the host's memory, or the 4 GiB that WebAssembly addresses, do not hold it. */
function engineOf(options: EngineOptions): Engine {
  try {
    return new Engine(options);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`${error.message} with ${options.cpus} CPUs: give less --memory or fewer --cpus`);
  }
}

/** A PC: CPUs, board and firmware, joined and ready to start from a drive, or from a kernel directly. */
export class VirtualMachine {
  readonly engine: Engine;
  readonly board: PcBoard;
  private readonly ram: GuestRam;
  private readonly events: EventQueue;
  readonly scheduler: Scheduler;
  private readonly threads: Threads | null = null;
  private readonly modules: EngineModules;
  private ended: MachineEnd | null = null;
  private closed = false;
  private resetAsked = false;
  private readonly drives: ImageDrive[];
  /** By their KeyboardEvent codes. */
  private readonly heldKeys = new Set<string>();
  /** PCI slots of drives that may be detached. */
  private readonly slots: Map<ImageDrive, number>;
  /** Of the cards that are plugged in, by their numbers. */
  private readonly networks: BootNetwork[];
  private readonly bios: Bios;
  private readonly flash: NorFlash | null = null;
  /** What a reset brings back. */
  private restart: () => void = () => {};

  constructor(private readonly options: VirtualMachineOptions) {
    this.drives = options.drives ?? [];
    const layout = ramLayout(options.memoryBytes);
    const { topology } = options;
    const { cpus } = topology;
    const beside = threadsBeside(options);
    const fences = beside > 0 && options.threads!.needsFences;
    this.modules = fences ? orderedModules(options.modules) : options.modules;
    let board: PcBoard | null = null;
    const counted = countingBoard(
      () => board!,
      (cpu) => this.engine.processors[cpu]!.counts,
    );
    this.engine = engineOf({
      kind: options.engine,
      ...(options.heat === undefined ? {} : { heat: options.heat }),
      cpus,
      lowBytes: layout.lowBytes,
      highBytes: layout.highBytes,
      windows: [VGA_MEMORY_BYTES, ...(options.firmware ? [options.firmware.bytes.length] : [])],
      board: counted,
      ...this.modules,
      available: (feature) => feature === '' || options.cpuModel.features.has(feature),
      threads: beside,
    });
    const { engine } = this;
    const view = new DataView(engine.memory.buffer);
    for (const { pointer, index } of engine.processors) {
      installCpuModel(view, pointer, options.cpuModel, index, topology);
      engine.runtime.resetCpu(pointer, index);
    }
    const written = (offset: number, length: number): void => engine.memoryWritten(offset, length);
    this.ram = new GuestRam(engine.memory.buffer, engine.ramBase, layout, written, fences);

    const retired = (): number => engine.processors.reduce((sum, processor) => sum + processor.retired(), 0);
    const virtual = options.virtualClock ? new VirtualClock(retired) : null;
    const origin = (at: number): void => view.setFloat64(L.G_CLOCK_ORIGIN, at, true);
    const clock = virtual ?? new RealClock(options.hostNow, origin);
    // The counters of several CPUs would differ.
    if (!virtual && engine.processors.length === 1) view.setUint32(L.G_TSC_STEPS, TSC_STEPS, true);
    this.events = new EventQueue(clock);
    const cap = new CpuCap(engine.memory);
    cap.percent = options.cpuCap ?? 0;
    this.scheduler = new Scheduler(engine.processors, clock, virtual, this.events, options.pacing, cap);
    this.board = board = new PcBoard({
      events: this.events,
      ram: this.ram,
      cpus: engine.processors.map((processor) => ({
        interruptChanged: () => processor.interruptChanged(),
        nmi: () => processor.nmi(),
        init: () => processor.init(),
        startup: (vector: number) => processor.startup(vector),
        kick: () => processor.kick(),
        yield: () => processor.requestExit(),
        stealTime: (physical: number | null) => {
          processor.stealTime = physical === null ? 0 : engine.runtime.ramAddress(BigInt(physical)) >>> 0;
        },
        // There is no system-management mode: what would enter it does nothing.
        smi: () => {},
        tscOffset: () => view.getBigUint64(processor.pointer + L.S_TSC_OFFSET, true),
        register: (n: number) => view.getUint32(processor.pointer + L.S_GPR + 8 * n, true),
        setRegister: (n: number, value: number) =>
          view.setBigUint64(processor.pointer + L.S_GPR + 8 * n, BigInt(value >>> 0), true),
      })),
      apicIds: topology.apicIds,
      apicWords: (cpu) => apicWords(engine.memory, cpu),
      wallClockMs: options.wallClockMs,
      serial: [options.serial],
      entropy: options.entropy,
      debugConsole: (byte) => options.debugConsole.write(byte),
      ...(options.debugExit ? { debugExit: (value: number) => this.end({ kind: 'debug-exit', value }) } : {}),
      powerOff: () => this.end({ kind: 'power-off' }),
      reset: () => this.reset(),
      a20: (enabled) => this.engine.setA20(enabled),
      ide: idePlaces(this.drives),
      floppies: floppyPlaces(this.drives),
      display: {
        memory: engine.windows[DISPLAY_WINDOW]!,
        window: (physical) => engine.placeWindow(DISPLAY_WINDOW, physical),
      },
    });
    this.slots = plugDrives(board, this.drives, cpus);
    board.hotPlug.onEject = (slot) => this.ejected(slot);
    this.networks = plugCards(board, options.cards ?? [], cpus, () => this.scheduler.wake());
    for (const drive of this.drives) this.watch(drive);
    this.bios = this.makeBios();
    if (options.firmware) {
      engine.windows[FIRMWARE_WINDOW]!.set(options.firmware.bytes);
      firmwareConfiguration(board, this.firmwareSettings).attach(board.ports);
      this.flash = plugVariables(board, options.firmware);
    }
    if (engine.mailboxes.threads > 0) this.threads = this.scheduler.threads = this.startThreads(counted);
  }

  private get shape(): MachineShape {
    const { ram, options } = this;
    const memory = { lowBytes: ram.lowBytes, highBytes: ram.highBytes };
    return { topology: options.topology, nodes: options.nodes ?? 1, memory };
  }
  private get firmwareSettings(): FirmwareSettings {
    const { bootOrder = BOOT_ORDER, bootMenu = false } = this.options;
    return { shape: this.shape, bootOrder, bootMenu };
  }

  private makeBios(): Bios {
    const { board, events, engine } = this;
    const { bootOrder, bootMenu } = this.firmwareSettings;
    const { heldKeys, drives } = this;
    const known = new WeakMap<ImageDrive, BiosDrive>();
    const asKnown = (drive: ImageDrive): BiosDrive => {
      const same = known.get(drive) ?? biosDrive(drive);
      known.set(drive, same);
      return same;
    };
    return new Bios({
      ram: this.ram,
      ports: board.ports,
      mmio: board.mmio,
      clock: events.clock,
      // It looks when it starts: some may have come or gone.
      get drives() {
        return drives.map(asKnown);
      },
      networks: this.networks,
      rest: () => this.scheduler.breatheSoon(),
      bootOrder,
      get bootMenu() {
        return bootMenu || heldKeys.has(BOOT_MENU_KEY);
      },
      videoMemory: engine.windows[DISPLAY_WINDOW]!,
    });
  }

  private trouble(message: string): void {
    this.pause();
    this.options.onTrouble?.(message);
  }

  private startThreads(board: BoardAccess): Threads {
    const { engine, modules, options, scheduler } = this;
    const { engine: kind, threads, pacing } = options;
    const answerer = {
      board,
      code: {
        written: engine.cache.written,
        decode: engine.cache.decode,
        heat: (block: HotBlock) => engine.translator?.heat(block),
      },
      interruptChanged: (cpu: number) => engine.processors[cpu]!.interruptChanged(),
      hypercall: (pointer: number) => hypercall(new DataView(engine.memory.buffer), board, pointer),
      shutdown: (cpu: number) =>
        this.end({ kind: 'shutdown', report: describeCpu(engine, engine.processors[cpu]!) }),
    };
    const wake = (): void => scheduler.wake();
    const { features } = options.cpuModel;
    const what = { kind, modules, features };
    return new Threads(threads!, engine, what, answerer, wake, () => pacing.milliseconds());
  }

  /** Ends the threads of a machine that will not run again. */
  close(): void {
    this.closed = true;
    this.threads?.end();
  }
  /** It ended, or is about to. */
  get over(): boolean {
    return this.closed || this.ended !== null;
  }

  /** While no CPU runs. */
  private stopped(act: () => void): void {
    if (this.threads) this.threads.stopped(act);
    else act();
  }

  /** Resets the machine and enters a kernel. A UserError says what is wrong with a file. The files are read again at each reset, rather than kept. */
  boot(read: () => BootFiles): void {
    this.restart = () => this.boot(read);
    const files = read();
    const { engine, ram, options } = this;
    const rsdp = this.setUpBoard();
    // The screen as a BIOS leaves it.
    this.bios.start();
    const state = bootKernel({
      ...files,
      textScreen: true,
      memory: bootMemory(ram),
      rsdp,
      longMode: options.cpuModel.features.has('LM'),
    });
    enterKernel(engine.memory, engine.processors[0]!, engine.runtime, state);
  }

  /** Resets the machine, whose firmware then starts a system from a drive. */
  bootFromDrives(): void {
    this.restart = () => this.bootFromDrives();
    const { engine, board, options } = this;
    if (options.firmware) {
      board.reset();
      this.flash?.reset();
      engine.setA20(true);
      const at = placeFirmware(board, options.firmware, this.firmwareSettings);
      engine.placeWindow(FIRMWARE_WINDOW, at, { readOnly: true });
      // The processor begins at its reset vector.
      return;
    }
    this.setUpBoard();
    enterKernel(engine.memory, engine.processors[0]!, engine.runtime, this.bios.start());
  }

  /** As a BIOS leaves it; gives the address of the ACPI root pointer. */
  private setUpBoard(): number {
    const { board, engine, ram, options } = this;
    board.reset();
    setUpAsBios(board);
    engine.setA20(true);
    const { tables, rsdp } = firmwareTables(this.shape);
    for (const { address, bytes } of tables) ram.write(address, bytes);
    if (options.cpuModel.features.has('MTRR'))
      for (const processor of engine.processors) setMemoryTypes(engine.memory, processor);
    return rsdp;
  }

  /** Ends `run` soon, for this reason. The first one counts. */
  end(reason: MachineEnd): void {
    this.ended ??= reason;
    this.scheduler.stop();
  }

  /** What was typed at serial port 1. */
  receiveSerial(bytes: Uint8Array): void {
    this.board.serial[0]!.receive(bytes);
    this.scheduler.wake();
  }

  /** A key, by its KeyboardEvent code, went down or up. */
  key(code: string, down: boolean): void {
    if (down) this.heldKeys.add(code);
    else this.heldKeys.delete(code);
    this.board.keyboard.keyboard.key(code, down);
    this.scheduler.wake();
  }

  private card(number: number): BootNetwork {
    return this.networks.find((network) => network.number === number)!;
  }

  /** Plugs another cable into a card, by its number from 1. */
  replug(card: number, cable: Cable): void {
    this.card(card).cable.replug(cable);
  }

  /** Plugs in a card that is not on ISA while the machine runs, in a slot of its own, as a number that none has. */
  attachCard(number: number, card: CardOptions): void {
    const { board, networks } = this;
    if (networks.length >= MOST_CARDS) throw new UserError(`a machine has ${MOST_CARDS} cards at most`);
    if (board.pci.freeSlot < 0)
      throw new UserError('all PCI slots are taken: take out a card or a disk first');
    const { cpus } = this.options.topology;
    const network = plugPciCard(board, card, number, cpus, () => this.scheduler.wake());
    networks.push(network);
    networks.sort((one, other) => one.number - other.number);
    this.announce(network.slot!);
    this.scheduler.wake();
  }

  /**
   * Takes a card out, by its number: once the guest has given it up or, with `force`, at once; `onCardGone` tells when. Throws
   * UserError for one that cannot be taken out.
   */
  detachCard(number: number, force: boolean): void {
    const { slot } = this.card(number);
    if (slot === null) throw new UserError(`card ${number} is on ISA, and is never taken out`);
    const beside = this.networks.find((other) => other.number !== number && other.slot === slot);
    if (beside) throw new UserError(`card ${number} shares its slot with card ${beside.number}, and stays`);
    this.unplug(slot, force);
  }

  /** Something was plugged into a slot: it is as after a reset, and the guest is told. */
  private announce(slot: number): void {
    const { pci, hotPlug } = this.board;
    for (const [place, device] of pci.plugged) if (place.slot === slot) device.reset();
    hotPlug.announce(slot);
  }

  /** Asks the guest to give up what is in a slot; with `force` it is not asked. */
  private unplug(slot: number, force: boolean): void {
    if (force) this.ejected(slot);
    else this.board.hotPlug.request(slot);
    this.scheduler.wake();
  }

  private watch(drive: ImageDrive): void {
    // How long the host takes must not matter where time is virtual.
    drive.beside = !this.options.virtualClock;
    drive.onSettled = () => this.scheduler.wake();
    drive.onTrouble = (message) => this.trouble(message);
    drive.onFailure = (message) => this.options.onFailure?.(message);
  }

  /** Plugs in a drive while the machine runs, on a controller of its own. It must not be on IDE. */
  attachDrive(drive: ImageDrive): void {
    const { board, slots } = this;
    for (const [plugged, slot] of plugDrives(board, [drive], this.options.topology.cpus)) {
      slots.set(plugged, slot);
      this.announce(slot);
    }
    this.watch(drive);
    this.drives.push(drive);
    this.scheduler.wake();
  }

  /**
   * Takes a drive out, and closes it: once the guest has given it up or, with `force`, at once. Throws UserError for one that
   * cannot be taken out.
   */
  detachDrive(drive: ImageDrive, force: boolean): void {
    const slot = this.slots.get(drive);
    if (slot === undefined)
      throw new UserError(
        `${drive.name} is on the IDE controller or a floppy drive, which are never taken out`,
      );
    const beside = [...this.slots].find(([other, at]) => at === slot && other !== drive);
    if (beside)
      throw new UserError(`${drive.name} shares its controller with ${beside[0].name}, and stays with it`);
    this.unplug(slot, force);
  }

  private ejected(slot: number): void {
    // What is always on the board stays.
    if (slot < FIRST_FREE_SLOT) return;
    this.board.pci.unplug(slot);
    this.board.hotPlug.emptied(slot);
    for (const network of this.networks.filter((other) => other.slot === slot)) {
      this.networks.splice(this.networks.indexOf(network), 1);
      this.options.onCardGone?.(network.number);
    }
    for (const [drive, at] of [...this.slots])
      if (at === slot) {
        this.slots.delete(drive);
        this.drives.splice(this.drives.indexOf(drive), 1);
        drive.close();
      }
  }

  /** The user presses the power button: systems that know ACPI shut down. */
  pressPowerButton(): void {
    this.board.powerManagement.pressPowerButton();
    this.scheduler.wake();
  }

  /** As the reset button does. */
  reset(): void {
    this.resetAsked = true;
    this.scheduler.stop();
  }

  /** The mouse moved so far, and its buttons (1 left, 2 right, 4 middle) are so. */
  mouse(right: number, down: number, wheel: number, buttons: number): void {
    this.board.keyboard.mouse.move(right, down, wheel, buttons);
    this.scheduler.wake();
  }

  /**
   * The pointer is at so much (0 to 1) of the screen's width and height, if the guest listens to where it is. `moved`: how far it
   * went, for guests that only listen to that. Wheel and buttons as above.
   */
  pointer(
    at: { x: number; y: number },
    moved: { right: number; down: number },
    wheel: number,
    buttons: number,
  ): void {
    const { pointer } = this.board;
    if (!pointer.listening) return this.mouse(moved.right, moved.down, wheel, buttons);
    pointer.move(at.x, at.y, wheel, buttons);
    this.scheduler.wake();
  }

  /** Runs until the machine ends. A reset by the guest boots the same kernel again. */
  async run(): Promise<MachineEnd> {
    this.threads?.go();
    const end = await this.runUntilEnd();
    this.threads?.stop();
    return end;
  }

  /** CPUs and clock stand still until `resume`. */
  pause(): void {
    this.options.onPaused?.(true);
    this.scheduler.pause();
  }
  resume(): void {
    // What the host could not do is tried once more; if it cannot yet, the machine rests on.
    for (const drive of this.drives) if (!drive.retry()) return;
    this.options.onPaused?.(false);
    this.scheduler.resume();
  }
  get paused(): boolean {
    return this.scheduler.paused;
  }

  get mode(): MachineMode {
    const threads = this.engine.mailboxes.threads + 1;
    const fences = this.modules.ordered ?? false;
    if (this.options.virtualClock) return { kind: 'deterministic', threads, fences };
    return { kind: threads > 1 ? 'parallel' : 'turns', threads, fences };
  }

  private async runUntilEnd(): Promise<MachineEnd> {
    for (;;) {
      const { reason, cpu } = await this.scheduler.run();
      if (this.ended) return this.ended;
      if (reason === 'shutdown') return { kind: 'shutdown', report: describeCpu(this.engine, cpu!) };
      if (!this.resetAsked) continue;
      this.resetAsked = false;
      for (const drive of this.drives) drive.forget();
      this.stopped(() => {
        this.resetCpus();
        this.restart();
      });
    }
  }

  private resetCpus(): void {
    const { engine } = this;
    engine.cache.flush();
    for (const { pointer, index } of engine.processors) engine.runtime.resetCpu(pointer, index);
  }

  counts(): MachineCounts {
    const { processors, cache } = this.engine;
    const cpus = processors.map((processor: Processor) => ({
      instructions: processor.retired(),
      interrupts: processor.interrupts,
      halts: processor.halts,
      faults: processor.faults,
    }));
    const instructions = cpus.reduce((sum, cpu) => sum + cpu.instructions, 0);
    const sum = (key: keyof CpuCounts): number =>
      processors.reduce((total, processor) => total + processor.counts[key], 0);
    return {
      instructions,
      tiers: this.tiers(instructions),
      cpus,
      exits: {
        portReads: sum('portReads'),
        portWrites: sum('portWrites'),
        mmioReads: sum('mmioReads'),
        mmioWrites: sum('mmioWrites'),
        interrupts: cpus.reduce((total, cpu) => total + cpu.interrupts, 0),
        halts: cpus.reduce((total, cpu) => total + cpu.halts, 0),
        faults: cpus.reduce((total, cpu) => total + cpu.faults, 0),
      },
      decodedInstructions: cache.decodedInstructions,
      translator: this.engine.translator?.counts ?? null,
    };
  }

  private tiers(instructions: number): MachineCounts['tiers'] {
    const { engine, options } = this;
    if (options.engine !== 'translate') return { [options.engine]: instructions };
    const view = new DataView(engine.memory.buffer);
    const translate = engine.processors.reduce(
      (sum, { pointer }) => sum + Number(view.getBigInt64(pointer + L.S_TRANSLATED, true)),
      0,
    );
    return { interpret: instructions - translate, translate };
  }

  /** Guest RAM, for hashing. */
  memoryBytes(): Uint8Array {
    const { engine, ram } = this;
    return new Uint8Array(engine.memory.buffer, engine.ramBase, ram.lowBytes + ram.highBytes);
  }
}
