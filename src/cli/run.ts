import { basename } from 'node:path';
import { Command } from 'commander';
import { UserError } from '../machine/user-error.js';
import {
  parseClock,
  parseCpuCap,
  parseCpus,
  parseEngine,
  parseHeat,
  parseMachineName,
  parseMemory,
  parseNodes,
  parseSeed,
  parseSerial,
  parseTimeout,
  type MachineConfig,
} from '../manager/config.js';
import {
  parseBios,
  parseBoot,
  parseCdrom,
  parseDisk,
  parseDisplay,
  parseFloppy,
} from '../manager/drive-options.js';
import { NET_KINDS, parseNet } from '../manager/net-options.js';
import { debianGuest } from '../manager/guests/debian.js';
import { runMachine } from '../manager/run.js';
import { progressDisplay } from './progress.js';

interface RunOptions {
  name?: string;
  kernel?: string;
  initrd?: string;
  append?: string;
  memory: string;
  cpus: string;
  numa: string;
  engine: string;
  heat?: string;
  serial?: string;
  debugExit?: boolean;
  timeout?: string;
  cpuModel: string;
  stats?: string;
  clock?: string;
  deterministic?: boolean;
  seed?: string;
  cpuCap?: string;
  mirror?: string;
  disk: string[];
  cdrom: string[];
  floppy: string[];
  net: string[];
  boot?: string;
  bios?: string;
  display: string;
}

const several = (value: string, before: string[]): string[] => [...before, value];

/** Demo guests by name: architecture and flavour of the kernel. */
const GUESTS = {
  debian: { arch: 'amd64', flavour: 'generic' },
  'debian-cloud': { arch: 'amd64', flavour: 'cloud' },
  'debian-i386': { arch: 'i386', flavour: '686' },
  'debian-i386-pae': { arch: 'i386', flavour: '686-pae' },
} as const;

export function runCommand(): Command {
  return new Command('run')
    .description('start a machine in this terminal')
    .argument('[guest]', `a demo guest: ${Object.keys(GUESTS).join(', ')}`)
    .option('--kernel <file>', 'kernel to boot: Linux bzImage, multiboot or PVH ELF')
    .option('--initrd <file[,file]>', 'initial RAM disk, or modules of a multiboot kernel')
    .option('--append <text>', 'kernel command line (added to that of a demo guest)')
    .option(
      '--disk <file>',
      'hard disk, or a folder to show as one; ,bus=ide ,format=raw ,mode=normal|readonly|snapshot may follow',
      several,
      [],
    )
    .option('--cdrom <file>', 'CD or DVD image, a folder to show as one, or "empty"', several, [])
    .option('--floppy <file>', 'floppy image, a folder to show as one, or "empty"', several, [])
    .option(
      '--net <kind>',
      `network card on a network: ${NET_KINDS.join(', ')}; ,card=e1000 ,forward=tcp:127.0.0.1:2222-:22 and more may follow (docs/network.md)`,
      several,
      [],
    )
    .option('--boot <settings>', 'order=cdan (disk, CD, floppy, network), menu=on asks')
    .option('--bios <file>', 'firmware instead of our own: SeaBIOS, or OVMF ,vars=FILE with its variables')
    .option(
      '--display <kind>',
      'screen: none, text, vnc=HOST:PORT (,websocket=PORT may follow) or png=FILE',
      'none',
    )
    .option('--name <name>', 'what viv list and viv control call the machine (default: pc1, pc2, ...)')
    .option('--memory <size>', 'memory of the machine', '512M')
    .option('--cpus <n>', 'virtual CPUs; 32,sockets=2,cores=8,threads=2 says how they are grouped', '1')
    .option('--numa <nodes>', 'nodes that CPUs and memory are divided into', '1')
    .option('--engine <name>', 'auto, interpret, translate or reference', 'auto')
    .option('--heat <n>', 'executions after which code is translated; 0: at once')
    .option(
      '--serial <place>',
      'serial port 1: stdio, none or file:PATH (default: stdio, but none with --display text)',
    )
    .option('--debug-exit', 'a 4-byte write of v to port 0xf4 ends with status (v << 1 | 1) & 255')
    .option('--timeout <seconds>', 'stop after so many seconds, with status 124')
    .option('--cpu-model <name>', 'CPU that the guest sees', 'default')
    .option('--stats <file>', 'write counts of the run as JSON')
    .option('--clock <kind>', 'real: follows the host; virtual: counts instructions (default: real)')
    .option(
      '--deterministic',
      'the same run each time: virtual clock, CPUs in turns, random numbers by --seed',
    )
    .option('--seed <n>', 'with --deterministic: other random numbers (default: 1)')
    .option('--cpu-cap <percent>', 'most that the machine may use of one host core')
    .option('--mirror <url>', 'where to get the demo guest if there is no apt')
    .addHelpText(
      'after',
      `
On a terminal, Ctrl-A x quits and Ctrl-A h shows the keys. The status is 0 when the guest powers off.

Examples:
  viv run debian
  viv run debian-i386 --memory 256M
  viv run --cdrom installer.iso --disk disk.img --display text
  viv run debian --cpus 4 --deterministic
  viv run --disk disk.img --net nat,forward=tcp:127.0.0.1:2222-:22
  viv run debian --cpus 8,sockets=2,cores=2,threads=2 --numa 2
  viv run --kernel vmlinuz --initrd initrd.img --append "console=ttyS0 quiet"
  viv run --kernel memtest86+x64.bin --append "console=ttyS0,115200" --memory 64M`,
    )
    .action(async (guest: string | undefined, options: RunOptions) => {
      process.exitCode = await run(guest, options);
    });
}

/** `--clock virtual` alone means the same as `--deterministic`, which says it by its name. */
function determinism({ clock, deterministic, seed }: RunOptions): Pick<MachineConfig, 'clock' | 'seed'> {
  const kind = clock === undefined ? (deterministic ? 'virtual' : 'real') : parseClock(clock);
  if (deterministic && kind === 'real')
    throw new UserError('--deterministic and --clock real contradict each other: leave one out');
  if (seed !== undefined && kind === 'real')
    throw new UserError('--seed is for repeatable runs: give --deterministic with it');
  return { clock: kind, seed: seed === undefined ? 1 : parseSeed(seed) };
}

async function run(guest: string | undefined, options: RunOptions): Promise<number> {
  // What is wrong with the options is said before anything is fetched.
  const topology = parseCpus(options.cpus);
  const drives = [
    ...options.disk.map((text) => parseDisk(text)),
    ...options.cdrom.map(parseCdrom),
    ...options.floppy.map(parseFloppy),
  ];
  // What comes from a network is not the same each time: with repeatable runs only who asks for one gets it.
  const usual = determinism(options).clock === 'virtual' ? [] : ['nat'];
  const nets = (options.net.length > 0 ? options.net : usual).map(parseNet);
  const display = parseDisplay(options.display);
  const serial = parseSerial(options.serial ?? (display.kind === 'text' ? 'none' : 'stdio'));
  if (display.kind === 'text' && serial.kind === 'stdio')
    throw new UserError(
      '--display text and --serial stdio both want this terminal: give --serial file:PATH or none',
    );
  const settings = {
    name: options.name === undefined ? null : parseMachineName(options.name),
    memoryBytes: parseMemory(options.memory),
    topology,
    nodes: parseNodes(options.numa, topology),
    engine: parseEngine(options.engine),
    heat: options.heat === undefined ? null : parseHeat(options.heat),
    serial,
    debugExit: options.debugExit === true,
    timeoutSeconds: options.timeout === undefined ? 0 : parseTimeout(options.timeout),
    cpuModel: options.cpuModel,
    statsFile: options.stats ?? null,
    ...determinism(options),
    cpuCap: options.cpuCap === undefined ? 0 : parseCpuCap(options.cpuCap),
    drives,
    nets,
    boot: parseBoot(options.boot),
    display,
    bios: options.bios === undefined ? null : parseBios(options.bios),
  };
  const initrd = options.initrd ? options.initrd.split(',').filter(Boolean) : [];
  if (guest === undefined) {
    if (options.kernel === undefined && drives.length === 0 && options.net.length === 0)
      throw new UserError(
        'nothing to boot: name a demo guest (viv run debian), or give --disk, --cdrom, --floppy, --kernel FILE, or --net to start from the network',
      );
    return runMachine({
      ...settings,
      title: basename(options.kernel ?? drives.find(({ path }) => path !== '')?.path ?? 'from the network'),
      kernel: options.kernel ?? null,
      initrd,
      append: options.append ?? '',
    });
  }
  if (!(guest in GUESTS))
    throw new UserError(
      `there is no guest "${guest}"; known are ${Object.keys(GUESTS).join(', ')}, or give --kernel FILE`,
    );
  if (options.kernel !== undefined)
    throw new UserError(`give either the guest ${guest} or --kernel, not both`);
  const files = await debianGuest({
    ...GUESTS[guest as keyof typeof GUESTS],
    ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
    onProgress: progressDisplay(process.stderr),
    ...(drives.length > 0 ? { modules: 'drives' } : nets.length > 0 ? { modules: 'network' } : {}),
  });
  // Where there is a screen to look at, the guest's shell is there.
  const screen = display.kind === 'text' || display.kind === 'vnc' ? 'console=tty0' : '';
  const append = [files.append, screen, options.append ?? ''].filter(Boolean).join(' ');
  return runMachine({
    ...settings,
    title: guest,
    kernel: files.kernel,
    initrd: [files.initrd, ...(files.modules === null ? [] : [files.modules]), ...initrd],
    append,
  });
}
