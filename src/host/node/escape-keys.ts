export const ESCAPE = 0x01;

/** What the keys behind Ctrl-A mean, as in QEMU's console. */
export type EscapeAction = 'quit' | 'pause' | 'help' | null;

export const ESCAPE_HELP = [
  'Ctrl-A x       quit: the machine is switched off at once',
  'Ctrl-A p       pause the machine, and let it go on',
  'Ctrl-A h       this help',
  'Ctrl-A Ctrl-A  send Ctrl-A to the guest',
].join('\r\n');

/** Takes the escape sequences out of what was typed. */
export class EscapeKeys {
  private pending = false;

  /** Bytes for the guest, and what is asked of the command itself. */
  feed(typed: Uint8Array): { bytes: Uint8Array; actions: Exclude<EscapeAction, null>[] } {
    const bytes: number[] = [];
    const actions: Exclude<EscapeAction, null>[] = [];
    for (const byte of typed) {
      if (!this.pending) {
        if (byte === ESCAPE) this.pending = true;
        else bytes.push(byte);
        continue;
      }
      this.pending = false;
      const key = String.fromCharCode(byte).toLowerCase();
      if (byte === ESCAPE) bytes.push(ESCAPE);
      else if (key === 'x') actions.push('quit');
      else if (key === 'p') actions.push('pause');
      else if (key === 'h' || key === '?') actions.push('help');
    }
    return { bytes: Uint8Array.from(bytes), actions };
  }
}
