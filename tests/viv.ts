import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const COMMAND = fileURLToPath(new URL('../dist/cli/viv.js', import.meta.url));

/** What no boot may print: bugs of the kernel's own checks, and registers, clocks or CPUs that it finds amiss. */
export const COMPLAINTS =
  /Oops|BUG:|WARNING:|unhandled|unchecked MSR|soft lockup|hard lockup|rcu.*stall|INFO: task|clocksource.*unstable|Marking TSC unstable|Kernel panic|segfault/;

export interface Ended {
  status: number | null;
  output: string;
  errors: string;
}

/** Runs the command to its end, with standard input closed. */
export type Viv = (...args: string[]) => Promise<Ended>;

/** By a Node that is started so. */
export function vivBy(node: string, ...options: string[]): Viv {
  return (...args) =>
    new Promise((resolve, reject) => {
      const child = spawn(node, [...options, COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      let errors = '';
      child.stdout.on('data', (data: Buffer) => (output += data.toString('latin1')));
      child.stderr.on('data', (data: Buffer) => (errors += data.toString('latin1')));
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, output, errors }));
    });
}

export const viv = vivBy(process.execPath);

/** What `viv control` prints; it must succeed. */
export async function control(...args: string[]): Promise<string> {
  const { status, output, errors } = await viv('control', ...args);
  assert.equal(status, 0, errors);
  return output;
}

/** A folder for files of a test, removed at its end. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A machine whose output is awaited while it runs; for at most two minutes, unless the arguments say otherwise. */
export class Running {
  output = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private notice: () => void = () => {};

  constructor(...args: string[]) {
    const child = (this.child = spawn(process.execPath, [COMMAND, 'run', '--timeout', '120', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }));
    child.stdout.on('data', (data: Buffer) => {
      this.output += data.toString('latin1');
      this.notice();
    });
    this.ended = new Promise((resolve) => {
      child.on('close', (status) => {
        resolve(status);
        this.notice();
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it, as a user who has enough of it. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    await this.ended;
  }

  async says(what: string): Promise<void> {
    let over = false;
    void this.ended.then(() => (over = true));
    while (!this.output.includes(what)) {
      assert.ok(!over, `ended without "${what}":\n${this.output}`);
      await new Promise<void>((resolve) => (this.notice = resolve));
    }
  }
}
