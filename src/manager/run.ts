import { createHash, randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { findCpuModel, UnknownCpuModel } from '../engine/cpu-model.js';
import { typedKeys } from '../devices/input/typed-keys.js';
import { openConsole, type SerialConsole } from '../host/node/console.js';
import { hostNow } from '../host/node/clock.js';
import { loadEngineModules } from '../host/node/engine-modules.js';
import { nodePacing } from '../host/node/pacing.js';
import { nodeThreads } from '../host/node/threads.js';
import { debugExitStatus } from '../devices/debug/debug-exit.js';
import { UserError } from '../machine/user-error.js';
import { VirtualMachine, type BootFiles, type MachineEnd } from '../vm/virtual-machine.js';
import type { MachineConfig } from './config.js';
import { serveControl, takeName } from './control/serve-control.js';
import { PngDisplay } from './displays/png-display.js';
import { TextDisplay } from './displays/text-display.js';
import { VncDisplay } from './displays/vnc-display.js';
import { Typist } from './displays/typist.js';
import type { DisplayChoice } from './drive-options.js';
import type { ImageDrive } from '../vm/image-drive.js';
import { openDrive } from './open-drive.js';
import { openFirmware } from './open-firmware.js';
import { cardOptions, openNetworks, type NetworkedCard } from './networks/open-networks.js';
import { readNamedFile } from './read-file.js';

/** Exit statuses beside those of the guest (docs/command.md). */
const EXIT_SHUTDOWN = 3;
const EXIT_QUIT = 4;
const EXIT_TIMEOUT = 124;

/** Runs a machine in this process until it ends; gives the exit status of the command. */
export async function runMachine(config: MachineConfig): Promise<number> {
  const read = (kernel: string): BootFiles => ({
    kernel: { name: kernel, bytes: readNamedFile('--kernel', kernel) },
    modules: config.initrd.map((path) => ({
      name: path,
      bytes: readNamedFile('--initrd', path),
      text: basename(path),
    })),
    commandLine: config.append,
  });
  const pacing = nodePacing();
  let display: { close(): void } | null = null;
  let typist: Typist | null = null;
  let ui: SerialConsole | null = null;
  let serial: SerialConsole | null = null;
  const closeAll = (): void => {
    typist?.stop();
    display?.close();
    ui?.close();
    if (serial !== ui) serial?.close();
    display = typist = ui = serial = null;
  };
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let machine: VirtualMachine | undefined;
  const counts = { disk: 0, cdrom: 0, floppy: 0 };
  const drives: ImageDrive[] = [];
  let firmware: ReturnType<typeof openFirmware> | null = null;
  let cards: NetworkedCard[] = [];
  let endControl: (() => void) | null = null;
  const place = takeName(config.name);
  const entropy =
    config.clock === 'virtual'
      ? repeatableEntropy(config.seed)
      : (target: Uint8Array) => void randomFillSync(target);
  try {
    if (config.bios !== null) firmware = openFirmware(config.bios);
    for (const choice of config.drives) drives.push(openDrive(choice, counts[choice.kind]++));
    cards = await openNetworks(config.nets, entropy);
    machine = new VirtualMachine({
      memoryBytes: config.memoryBytes,
      topology: config.topology,
      nodes: config.nodes,
      engine: config.engine === 'auto' ? 'translate' : config.engine,
      ...(config.heat === null ? {} : { heat: config.heat }),
      cpuModel: cpuModel(config.cpuModel),
      virtualClock: config.clock === 'virtual',
      debugExit: config.debugExit,
      modules: loadEngineModules(),
      hostNow,
      // A repeatable run starts at a fixed moment, with fixed random numbers.
      wallClockMs: config.clock === 'virtual' ? Date.UTC(2024, 0, 1) : Date.now(),
      entropy,
      pacing,
      ...(config.cpuCap === 0 ? {} : { cpuCap: config.cpuCap }),
      threads: nodeThreads(new URL('./cpu-thread.js', import.meta.url)),
      serial: { write: (byte) => serial?.write(byte) },
      debugConsole: { write: (byte) => void process.stderr.write(Uint8Array.of(byte)) },
      drives,
      cards: cards.map(cardOptions),
      ...(firmware ? { firmware: firmware.firmware } : {}),
      bootOrder: config.boot.order,
      bootMenu: config.boot.menu,
      onCardGone: (number) => {
        const gone = cards.findIndex((card) => card.number === number);
        for (const card of cards.splice(gone, 1)) card.close();
      },
      onPaused: (paused) => cards.forEach((card) => card.setPaused(paused)),
      onFailure: (message) => process.stderr.write(`\r\nviv: ${message}; the guest was told of an error\r\n`),
      onTrouble: (message) =>
        process.stderr.write(
          `\r\nviv: ${message}; paused: mend it, then Ctrl-A p lets the machine go on\r\n`,
        ),
    });
    const running = machine;
    display = await openDisplay(config.display, running);
    const keyboard = new Typist((code, down) => running.key(code, down));
    typist = keyboard;
    const screen = config.display.kind === 'text';
    const console = openConsole(screen ? { kind: 'stdio' } : config.serial);
    ui = console;
    serial = screen ? openConsole(config.serial) : console;
    console.onInput((bytes) => {
      if (screen) keyboard.type(typedKeys(new TextDecoder('latin1').decode(bytes)));
      else running.receiveSerial(bytes);
    });
    console.onQuit(() => running.end({ kind: 'quit' }));
    console.onPause(() => {
      if (running.paused) running.resume();
      else running.pause();
      process.stderr.write(
        running.paused ? '\r\nviv: paused; Ctrl-A p lets it go on\r\n' : '\r\nviv: goes on\r\n',
      );
    });
    endControl = await serveControl(place, {
      machine,
      title: title(config),
      drives,
      cards,
      typist: keyboard,
    });
    if (config.topology.cpus > 1) sayMode(config.topology.cpus, machine.mode);
    if (config.kernel === null) machine.bootFromDrives();
    else machine.boot(() => read(config.kernel!));
    if (config.timeoutSeconds > 0)
      timer = setTimeout(() => running.end({ kind: 'timeout' }), config.timeoutSeconds * 1000);
    const end = await machine.run();
    closeAll();
    if (config.statsFile !== null) writeStats(config, machine, (performance.now() - started) / 1000);
    return exitStatus(end, config);
  } finally {
    machine?.close();
    for (const drive of drives) drive.close();
    firmware?.close();
    for (const card of cards) card.close();
    endControl?.();
    place.leave();
    clearTimeout(timer);
    closeAll();
  }
}

function title({ title, topology: { cpus }, memoryBytes }: MachineConfig): string {
  return `${title}: ${cpus} CPU${cpus > 1 ? 's' : ''}, ${memoryBytes / 2 ** 20} MiB, process ${process.pid}`;
}

async function openDisplay(
  choice: DisplayChoice,
  machine: VirtualMachine,
): Promise<{ close(): void } | null> {
  const { vga } = machine.board;
  if (!vga) return null;
  switch (choice.kind) {
    case 'none':
      return null;
    case 'text':
      return new TextDisplay(vga, process.stdout);
    case 'png':
      return new PngDisplay(vga, choice.path, () => machine.board.events.clock.now());
    case 'vnc':
      return VncDisplay.open(machine, choice);
  }
}

function sayMode(cpus: number, { kind, threads, fences }: VirtualMachine['mode']): void {
  const slower = fences ? "; slower, as this host's memory has less order than x86's" : '';
  const how = {
    parallel: `in ${threads} threads at once, as the host has cores: not repeatable${slower}`,
    turns: 'in turns, as the host has one core: not repeatable',
    deterministic: 'in turns, on virtual time: the same each time',
  };
  process.stderr.write(`viv: ${cpus} CPUs run ${how[kind]}\n`);
}

function cpuModel(name: string): ReturnType<typeof findCpuModel> {
  try {
    return findCpuModel(name);
  } catch (error) {
    if (error instanceof UnknownCpuModel) throw new UserError(`--cpu-model ${name}: ${error.message}`);
    throw error;
  }
}

function exitStatus(end: MachineEnd, config: MachineConfig): number {
  switch (end.kind) {
    case 'power-off':
      return 0;
    case 'debug-exit':
      return debugExitStatus(end.value);
    case 'quit':
      return EXIT_QUIT;
    case 'timeout':
      process.stderr.write(`\nviv: stopped after the --timeout of ${config.timeoutSeconds} s\n`);
      return EXIT_TIMEOUT;
    case 'shutdown':
      process.stderr.write(
        `\nviv: the guest's processor shut down after a triple fault: an exception could not be delivered\n${end.report}\n`,
      );
      return EXIT_SHUTDOWN;
  }
}

/** xorshift32: the same bytes in each run with this seed. */
function repeatableEntropy(seed: number): (target: Uint8Array) => void {
  let state = Math.imul(seed, 0x2545f491) || 1;
  return (target) => {
    for (let i = 0; i < target.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      target[i] = state;
    }
  };
}

function writeStats(config: MachineConfig, machine: VirtualMachine, seconds: number): void {
  const stats = {
    ...machine.counts(),
    mode: machine.mode,
    seconds,
    memory: { guest: config.memoryBytes, process: process.memoryUsage.rss() },
    ...(config.clock === 'virtual'
      ? { memoryHash: createHash('sha256').update(machine.memoryBytes()).digest('hex') }
      : {}),
  };
  try {
    writeFileSync(config.statsFile!, JSON.stringify(stats, null, 2) + '\n');
  } catch (error) {
    throw new UserError(`--stats ${config.statsFile} cannot be written: ${(error as Error).message}`);
  }
}
