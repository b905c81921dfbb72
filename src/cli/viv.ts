#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { UserError } from '../machine/user-error.js';
import { controlCommand, listCommand } from './control.js';
import { mediaCommand } from './media.js';
import { netCommand } from './net.js';
import { runCommand } from './run.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Exit status of the command itself, beside what the guest gives (docs/command.md). */
export const EXIT_ERROR = 1;
export const EXIT_USAGE = 2;

const program = new Command('viv')
  .description('Vivarium: a virtual PC that needs nothing but Node')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(viv --help shows what there is)')
  .addHelpText(
    'after',
    `
Examples:
  viv run debian                                  boot the demo guest to a shell
  viv run --kernel vmlinuz --initrd initrd.img --append "console=ttyS0"
  viv run --cdrom installer.iso --disk disk.qcow2 --display text
  viv run debian --net internal,name=lab          on a network with others
  viv control insert pc1 cdrom drivers.iso        change a machine that runs
  viv media create disk.qcow2 --size 20G          an empty disk`,
  );
program.addCommand(runCommand());
program.addCommand(listCommand());
program.addCommand(controlCommand());
program.addCommand(mediaCommand());
program.addCommand(netCommand());

// Started by start.ts, or another process with such a channel: without that one it ends.
const orphaned = (): never => process.exit(EXIT_ERROR);
// False, not undefined: there was one, and it has ended before this line.
if (process.connected === false) orphaned();
process.once('disconnect', orphaned);
process.channel?.unref();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  else if (error instanceof UserError) {
    process.stderr.write(`viv: ${error.message}\n`);
    process.exitCode = EXIT_ERROR;
  } else throw error;
}
