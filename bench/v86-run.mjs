// Boots a Linux kernel in v86 and copies its first serial port to standard output:
//
//   node bench/v86-run.mjs KERNEL INITRD APPEND MEMORY_MB
//
// bench.mjs installs v86 into dist/bench-peers, and its BIOS, which the npm package lacks, from Debian's seabios.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [kernel, initrd, append, megabytes] = process.argv.slice(2);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = join(root, 'dist/bench-peers/node_modules/v86/build');
const { V86 } = await import(pathToFileURL(join(build, 'libv86.mjs')).href);

// v86 goes on after the guest has powered off, so the end is told by what the guest prints.
const END = /bench-mark:end|reboot: (Power down|System halted)/;

const emulator = new V86({
  wasm_path: join(build, 'v86.wasm'),
  bios: { url: '/usr/share/seabios/bios.bin' },
  vga_bios: { url: '/usr/share/seabios/vgabios-stdvga.bin' },
  bzimage: { url: kernel },
  initrd: { url: initrd },
  cmdline: append,
  memory_size: Number(megabytes) * 2 ** 20,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
let line = '';
emulator.add_listener('serial0-output-byte', (byte) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  process.stdout.write(line, 'latin1');
  if (END.test(line)) process.exit();
  line = '';
});
