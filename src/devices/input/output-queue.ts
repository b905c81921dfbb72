/** Bytes that a PS/2 device wants to send. Answers to commands go before what the user did. */
export class OutputQueue {
  private answers: number[] = [];
  private events: number[] = [];

  /** `capacity`: bytes of user input that the device can hold. */
  constructor(private readonly capacity: number) {}

  /** Commands are answered at once, so what they leave is bounded by the longest answer. */
  answer(...bytes: number[]): void {
    this.answers = bytes;
  }

  /** A whole packet or key sequence; false if there is no room for it. */
  push(bytes: readonly number[]): boolean {
    if (this.events.length + bytes.length > this.capacity) return false;
    this.events.push(...bytes);
    return true;
  }

  next(): number | undefined {
    return this.answers.shift() ?? this.events.shift();
  }

  /** Drops what the user did. */
  clear(): void {
    this.answers = [];
    this.events = [];
  }

  save(): { answers: number[]; events: number[] } {
    return { answers: [...this.answers], events: [...this.events] };
  }

  load(state: { answers: number[]; events: number[] }): void {
    this.answers = [...state.answers];
    this.events = [...state.events];
  }
}
