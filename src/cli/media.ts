import { Command } from 'commander';
import { FileStorage } from '../host/node/file-storage.js';
import { lockFile } from '../host/node/file-lock.js';
import { UserError } from '../machine/user-error.js';
import { sizeText } from '../firmware/boot/memory-map.js';
import { detectFormat, type AnyFormat } from '../media/open-image.js';
import { checkQcow2 } from '../media/qcow2-check.js';
import { growQcow2 } from '../media/qcow2-resize.js';
import { ExtentsImage } from '../media/vmdk.js';
import type { Storage } from '../media/storage.js';
import { writeCopy } from '../manager/media/convert.js';
import { createMedium, formatFor, parseSize } from '../manager/media/create.js';
import { describeChain, type MediumDescription } from '../manager/media/describe.js';
import { withImageErrors } from '../manager/media/image-errors.js';
import { openFile } from '../manager/media/open-file.js';
import { progressDisplay } from './progress.js';

const FIXED_HELP = 'take all room at once (vdi, vhd, vhdx; vmdk: the bytes as they are, in a file beside it)';
const SPLIT_HELP = 'in files of less than two gigabytes (vmdk)';
const FORMAT_HELP = 'raw, qcow2, vdi, vmdk, vhd or vhdx (default: what the ending says)';

/** Shows how far a part of 1 is done. */
function parts(phase: string): (part: number) => void {
  const show = progressDisplay(process.stderr);
  return (part) => show({ phase, done: Math.round(part * 1000), total: 1000 });
}

function describe({ path, format, bytes, fileBytes, below }: MediumDescription): string {
  const lines = [
    `file:    ${path}`,
    `format:  ${format}`,
    `size:    ${sizeText(bytes)} (${bytes} bytes)`,
    `on disk: ${sizeText(fileBytes)}`,
  ];
  if (below !== null) lines.push(`below:   ${below}`);
  return lines.join('\n');
}

interface CreateFlags {
  size?: string;
  format?: string;
  backing?: string;
  fixed?: boolean;
  split?: boolean;
}

interface CopyFlags extends CreateFlags {
  stream?: boolean;
}

export function mediaCommand(): Command {
  const media = new Command('media').description('disk images: make, look at, convert, check');
  media
    .command('create <file>')
    .description('make an empty image, or one on top of another')
    .option('--size <size>', 'what the guest sees, as 20G')
    .option('--format <name>', FORMAT_HELP)
    .option('--backing <file>', 'begin as this image, and keep only what differs')
    .option('--fixed', FIXED_HELP)
    .option('--split', SPLIT_HELP)
    .action((path: string, flags: CreateFlags) => {
      createMedium({
        path,
        format: formatFor(path, flags.format),
        ...(flags.size === undefined ? {} : { bytes: parseSize(flags.size) }),
        ...(flags.backing === undefined ? {} : { backing: flags.backing }),
        fixed: flags.fixed === true,
        split: flags.split === true,
      });
    });
  media
    .command('info <file>')
    .description('what an image is')
    .option('--json', 'as JSON')
    .action((path: string, { json }: { json?: boolean }) => {
      const [first] = describeChain(path);
      process.stdout.write(`${json ? JSON.stringify(first, null, 2) : describe(first!)}\n`);
    });
  media
    .command('list-chain <file>')
    .description('an image and those below it')
    .action((path: string) => {
      process.stdout.write(`${describeChain(path).map(describe).join('\n\n')}\n`);
    });
  for (const [name, description] of [
    ['convert', 'write what an image shows as a new one, in another format'],
    ['clone', 'write what an image shows as a new one, in the same format'],
  ] as const)
    media
      .command(`${name} <from> <to>`)
      .description(description)
      .option('--format <name>', FORMAT_HELP)
      .option('--size <size>', 'larger than it was')
      .option('--fixed', FIXED_HELP)
      .option('--split', SPLIT_HELP)
      .option('--stream', 'packed, to be read only: for appliances (vmdk)')
      .action((from: string, to: string, flags: CopyFlags) => convert(name, from, to, flags));
  media
    .command('resize <file> <size>')
    .description('let the guest see a larger disk (raw and qcow2; others by clone --size)')
    .action(resize);
  media
    .command('compact <file>')
    .description('give back the room of what is zero')
    .action((path: string) => rewrite(path, 'compacting'));
  media
    .command('merge <file>')
    .description('make an image hold all that those below it have, and need them no more')
    .action((path: string) => rewrite(path, 'merging'));
  media
    .command('check <file>')
    .description('whether an image is consistent; status 1 if not')
    .option('--repair', 'set right what can be set right')
    .action(check);
  media.addHelpText(
    'after',
    `
Examples:
  viv media create disk.qcow2 --size 20G
  viv media create work.qcow2 --backing disk.qcow2
  viv media convert windows.vdi windows.qcow2
  viv media check disk.qcow2 --repair`,
  );
  return media;
}

function convert(name: 'convert' | 'clone', from: string, to: string, flags: CopyFlags): void {
  const source = openFile({
    option: `media ${name}`,
    path: from,
    format: null,
    write: false,
    anywhere: true,
  });
  try {
    const format =
      name === 'clone' && flags.format === undefined
        ? formatFor(from, source.format)
        : formatFor(to, flags.format);
    const bytes = flags.size === undefined ? source.bytes : parseSize(flags.size);
    if (bytes < source.bytes)
      throw new UserError(`--size ${flags.size}: is less than the ${source.bytes} bytes that ${from} has`);
    if (flags.stream && (format !== 'vmdk' || flags.fixed || flags.split))
      throw new UserError(
        '--stream: only images of the format vmdk are streams, and none is --fixed or --split',
      );
    const variant = flags.stream ? 'stream' : flags.fixed ? 'fixed' : undefined;
    const split = flags.split === true;
    writeCopy(source, { path: to, format, bytes, variant, split }, parts(`writing ${to}`));
  } finally {
    source.close();
  }
}

/** The same again, in a new file that takes the place of the old one when it is whole. */
function rewrite(path: string, phase: string): void {
  const unlock = lockFile('media', path);
  try {
    const source = openFile({ option: 'media', path, format: null, write: false, anywhere: true });
    try {
      if (source instanceof ExtentsImage)
        throw new UserError(
          `${path}: is made of several files; write a new one with "viv media clone ${path} NEW"`,
        );
      const format = formatFor(path, source.format);
      writeCopy(source, { path, format, bytes: source.bytes }, parts(`${phase} ${path}`), true);
    } finally {
      source.close();
    }
  } finally {
    unlock();
  }
}

/** Works on the file of an image that nobody else writes meanwhile. */
function withLockedFile(
  option: string,
  path: string,
  mode: 'read' | 'write',
  act: (storage: Storage, format: AnyFormat) => void,
): void {
  const unlock = lockFile(option, path);
  try {
    const storage = FileStorage.open(option, path, mode);
    try {
      withImageErrors(path, () => act(storage, detectFormat(storage)));
    } finally {
      storage.close();
    }
  } finally {
    unlock();
  }
}

function resize(path: string, wanted: string): void {
  const bytes = parseSize(wanted);
  withLockedFile('media resize', path, 'write', (storage, format) => {
    if (format === 'qcow2') growQcow2(storage, bytes);
    else if (format !== 'raw')
      throw new UserError(
        `${path}: ${format} images are not resized in place; use "viv media clone ${path} NEW --size ${wanted}"`,
      );
    else if (bytes < storage.size)
      throw new UserError(`${path}: has ${storage.size} bytes; making it smaller would lose some`);
    else storage.resize(bytes);
  });
}

function check(path: string, { repair = false }: { repair?: boolean }): void {
  withLockedFile('media check', path, repair ? 'write' : 'read', (storage, format) => {
    if (format !== 'qcow2') {
      // Opening looks at all tables.
      openFile({ option: 'media check', path, format, write: false, anywhere: true }).close();
      process.stdout.write(`${path}: ${format}, no errors were found\n`);
      return;
    }
    const { leaked, wrong, messages } = checkQcow2(storage, repair, parts(`checking ${path}`));
    for (const message of messages) process.stdout.write(`${message}\n`);
    const done = repair ? ' and were set right' : '; --repair sets them right';
    if (leaked + wrong === 0) process.stdout.write(`${path}: no errors were found\n`);
    else process.stdout.write(`${path}: ${wrong} wrong counts, ${leaked} clusters lost${done}\n`);
    process.exitCode = leaked + wrong > 0 && !repair ? 1 : 0;
  });
}
