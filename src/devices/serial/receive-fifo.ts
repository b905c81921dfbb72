const FIFO_BYTES = 16;

export interface SavedReceiveFifo {
  fifo: number[];
  looped: number;
  backlog: number[];
}

/** The receiver's FIFO, and behind it what the other side has sent and holds back until there is room. */
export class ReceiveFifo {
  private fifo: number[] = [];
  /** How many bytes at the start of the FIFO came from the guest itself (loopback). */
  private looped = 0;
  private backlog: Uint8Array[] = [];
  private capacity = 1;

  get length(): number {
    return this.fifo.length;
  }

  /** Bytes of the other side that the guest has not read. */
  get waiting(): number {
    return this.fifo.length - this.looped + this.backlog.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** Without FIFO mode there is one buffer register. */
  setEnabled(enabled: boolean): void {
    this.capacity = enabled ? FIFO_BYTES : 1;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.backlog.push(bytes.slice());
  }

  /** Moves what fits from the other side into the FIFO; true if anything came. */
  fill(): boolean {
    const before = this.fifo.length;
    for (let chunk = this.backlog[0]; chunk && this.fifo.length < this.capacity; chunk = this.backlog[0]) {
      const room = this.capacity - this.fifo.length;
      this.fifo.push(...chunk.subarray(0, room));
      if (chunk.length > room) this.backlog[0] = chunk.subarray(room);
      else this.backlog.shift();
    }
    return this.fifo.length > before;
  }

  /** A byte looped back by the guest; false if there is no room. */
  receive(byte: number): boolean {
    if (this.fifo.length >= this.capacity) return false;
    this.fifo.push(byte);
    this.looped++;
    return true;
  }

  /** The next byte; 0 if there is none. */
  take(): number {
    if (this.looped > 0) this.looped--;
    return this.fifo.shift() ?? 0;
  }

  /** Clears the FIFO. What the guest did not read goes back to the sender, who will send it again. */
  giveBack(): void {
    const unread = Uint8Array.from(this.fifo.slice(this.looped));
    if (unread.length > 0) this.backlog.unshift(unread);
    this.fifo = [];
    this.looped = 0;
  }

  save(): SavedReceiveFifo {
    return {
      fifo: [...this.fifo],
      looped: this.looped,
      backlog: this.backlog.flatMap((chunk) => [...chunk]),
    };
  }

  load(state: SavedReceiveFifo): void {
    this.fifo = [...state.fifo];
    this.looped = state.looped;
    this.backlog = [];
    this.push(Uint8Array.from(state.backlog));
  }
}
