import type { Processor } from '../engine/processor.js';
import { PAUSES } from './turns.js';

/** The CPUs of a machine, as a thread that runs them sees them: which it may run next. */
export class RunQueue {
  /** CPU that is looked at first. */
  private next: number;
  /** Others waited for a turn when the last CPU was claimed. */
  contended = false;

  /** `thread`: number of the thread, 0 for the machine's own. */
  constructor(
    private readonly processors: readonly Processor[],
    private readonly thread: number,
  ) {
    this.next = thread;
  }

  /** Takes the next CPU that can run and that no thread has, for a turn; null: there is none. */
  claim(): Processor | null {
    const { processors } = this;
    for (let i = 0; i < processors.length; i++) {
      const processor = processors[(this.next + i) % processors.length]!;
      if (!processor.canWake() || !processor.claim(this.thread)) continue;
      this.next = processor.index + 1;
      this.contended = this.waits;
      processor.pauses = this.contended ? PAUSES : 0;
      return processor;
    }
    return null;
  }

  /** Whether some CPU can run and no thread has it. */
  get waits(): boolean {
    return this.processors.some((processor) => processor.owner < 0 && processor.canWake());
  }
}
