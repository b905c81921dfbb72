import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../machine/user-error.js';
import { runCommand, type CommandResult } from './command.js';
import { packageRecord, parseParagraph, type PackageRecord } from './control-file.js';
import { checkSha256, type OnProgress, type PackageSource } from './package-source.js';

const POLL_MS = 200;

/**
 * The system's apt with its configured sources, but with state of its own under `directory`: it needs no root,
 * installs nothing, and can ask for another architecture than the system's. Apt checks the index signatures.
 */
export class AptSource implements PackageSource {
  private constructor(
    private readonly directory: string,
    private readonly options: string[],
  ) {}

  /** Null when this system has no apt. Reads the package index anew; a UserError when that is not possible. */
  static async open(
    directory: string,
    architecture: string,
    onProgress: OnProgress,
  ): Promise<AptSource | null> {
    if (!(await runCommand('apt-get', ['--version']))) return null;
    const lists = join(directory, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    await mkdir(join(directory, 'archives', 'partial'), { recursive: true });
    const status = join(directory, 'status');
    await writeFile(status, '');
    const settings = [
      `APT::Architecture=${architecture}`,
      `APT::Architectures=${architecture}`,
      `Dir::State=${directory}`,
      `Dir::State::lists=${lists}`,
      `Dir::State::status=${status}`,
      `Dir::Cache=${directory}`,
      `Dir::Cache::archives=${join(directory, 'archives')}`,
      'Acquire::Languages=none',
    ];
    // The helper user that apt downloads as when run by root cannot write here.
    if (process.getuid?.() === 0) settings.push('APT::Sandbox::User=root');
    const source = new AptSource(
      directory,
      settings.flatMap((setting) => ['-o', setting]),
    );
    onProgress({ phase: 'reading the package index with apt', done: 0, total: 0 });
    const update = await source.run('apt-get', ['-q', 'update']);
    if (update.status !== 0) {
      // Some index may be out of order while the others are good; what is missing shows when it is asked for.
      onProgress({
        phase: 'reading the package index with apt',
        done: 0,
        total: 0,
        note: `apt: ${complaint(update)}`,
      });
    }
    return source;
  }

  async find(name: string): Promise<PackageRecord | null> {
    const shown = await this.run('apt-cache', ['show', '--no-all-versions', name]);
    if (shown.status !== 0) return null;
    return packageRecord(parseParagraph(shown.stdout.split('\n\n')[0]!));
  }

  async fetch(record: PackageRecord, onProgress: OnProgress): Promise<Uint8Array> {
    const target = await mkdtemp(join(this.directory, 'download-'));
    const phase = `downloading ${record.name}`;
    const report = async (): Promise<void> => {
      onProgress({ phase, done: Math.min(await sizeOfFiles(target), record.size), total: record.size });
    };
    const timer = setInterval(() => void report().catch(() => undefined), POLL_MS);
    try {
      const download = await this.run(
        'apt-get',
        ['-q', 'download', `${record.name}=${record.version}`],
        target,
      );
      const file = (await readdir(target)).find((name) => name.endsWith('.deb'));
      if (download.status !== 0 || !file) {
        throw new UserError(`apt cannot download ${record.name}: ${complaint(download)}`);
      }
      const bytes = await readFile(join(target, file));
      checkSha256(record.name, bytes, record.sha256);
      onProgress({ phase, done: record.size, total: record.size });
      return bytes;
    } finally {
      clearInterval(timer);
      await rm(target, { recursive: true, force: true });
    }
  }

  private async run(program: string, args: string[], cwd?: string): Promise<CommandResult> {
    const result = await runCommand(program, [...this.options, ...args], cwd);
    if (!result)
      throw new UserError(`${program} is missing though apt-get is there: install apt, or use --mirror URL`);
    return result;
  }
}

async function sizeOfFiles(directory: string): Promise<number> {
  const sizes = (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** The first error line that a program of apt's wrote. */
function complaint(result: CommandResult): string {
  const lines = result.stderr.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => line.startsWith('E:')) ?? lines[0] ?? `exit status ${result.status}`;
}
