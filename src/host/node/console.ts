import { closeSync, openSync, writeSync } from 'node:fs';
import { UserError } from '../../machine/user-error.js';
import { ESCAPE_HELP, EscapeKeys } from './escape-keys.js';

/** The other end of a serial port. */
export interface SerialConsole {
  /** A byte that the guest sent. */
  write(byte: number): void;
  /** Calls back with what is to be sent to the guest. */
  onInput(receive: (bytes: Uint8Array) => void): void;
  /** Calls back when the user wants to quit. */
  onQuit(quit: () => void): void;
  /** Calls back when the user wants the machine to pause, or to go on. */
  onPause(pause: () => void): void;
  /** Gives the terminal back; nothing comes after it. */
  close(): void;
}

const FLUSH_BYTES = 4096;

/** Gathers bytes, so that a line is one write. */
class Gathered {
  private readonly bytes = new Uint8Array(FLUSH_BYTES);
  private length = 0;
  private scheduled = false;

  constructor(private readonly out: (bytes: Uint8Array) => void) {}

  write(byte: number): void {
    this.bytes[this.length++] = byte;
    if (this.length === FLUSH_BYTES) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => {
        this.scheduled = false;
        this.flush();
      });
    }
  }

  flush(): void {
    if (this.length === 0) return;
    const { length } = this;
    this.length = 0;
    this.out(this.bytes.subarray(0, length));
  }
}

/** Writes all of it, also where the other end of a pipe is slow. */
function writeFully(descriptor: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Standard input and output; a terminal is put into raw mode, with escape keys behind Ctrl-A. */
class StandardConsole implements SerialConsole {
  private readonly gathered = new Gathered((bytes) => writeFully(1, bytes));
  private readonly escape = new EscapeKeys();
  private readonly raw = process.stdin.isTTY === true;
  private receive: (bytes: Uint8Array) => void = () => {};
  private quit: () => void = () => {};
  private pause: () => void = () => {};
  private readonly restore = (): void => {
    if (this.raw) process.stdin.setRawMode(false);
  };

  constructor() {
    if (this.raw) process.stdin.setRawMode(true);
    process.once('exit', this.restore);
    process.stdin.on('data', this.typed);
    // A closed input must not end the machine, nor keep the process.
    process.stdin.on('error', () => {});
  }

  private readonly typed = (data: Uint8Array): void => {
    if (!this.raw) return this.receive(data);
    const { bytes, actions } = this.escape.feed(data);
    if (bytes.length > 0) this.receive(bytes);
    for (const action of actions) {
      if (action === 'quit') this.quit();
      else if (action === 'pause') this.pause();
      else process.stderr.write(`\r\n${ESCAPE_HELP}\r\n`);
    }
  };

  write(byte: number): void {
    this.gathered.write(byte);
  }
  onInput(receive: (bytes: Uint8Array) => void): void {
    this.receive = receive;
  }
  onQuit(quit: () => void): void {
    this.quit = quit;
  }
  onPause(pause: () => void): void {
    this.pause = pause;
  }
  close(): void {
    this.gathered.flush();
    process.stdin.off('data', this.typed);
    process.stdin.pause();
    process.stdin.unref?.();
    this.restore();
  }
}

class FileConsole implements SerialConsole {
  private readonly descriptor: number;
  private readonly gathered: Gathered;

  constructor(path: string) {
    try {
      this.descriptor = openSync(path, 'w');
    } catch (error) {
      throw new UserError(`--serial file:${path} cannot be written: ${(error as Error).message}`);
    }
    this.gathered = new Gathered((bytes) => writeFully(this.descriptor, bytes));
  }
  write(byte: number): void {
    this.gathered.write(byte);
  }
  onInput(): void {}
  onQuit(): void {}
  onPause(): void {}
  close(): void {
    this.gathered.flush();
    closeSync(this.descriptor);
  }
}

class NoConsole implements SerialConsole {
  write(): void {}
  onInput(): void {}
  onQuit(): void {}
  onPause(): void {}
  close(): void {}
}

export type SerialTarget = { kind: 'stdio' } | { kind: 'none' } | { kind: 'file'; path: string };

export function openConsole(target: SerialTarget): SerialConsole {
  if (target.kind === 'stdio') return new StandardConsole();
  return target.kind === 'file' ? new FileConsole(target.path) : new NoConsole();
}
