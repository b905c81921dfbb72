const FREE = 0;
const HELD = 1;
/** Held, and somebody sleeps until it is free. */
const WAITED_FOR = 2;

/** Looks before sleeping: what it is held for takes some microseconds. */
const SPINS = 2000;

/**
 * A lock in the shared memory, an i32 at `at` (a futex as in U. Drepper, Futexes Are Tricky, 2011, section 5). A thread that has
 * it may take it again. Nobody who has it may wait for another thread.
 */
export class SharedLock {
  private readonly words: Int32Array;
  private readonly word: number;
  /** This thread has it. */
  private held = false;

  constructor(memory: WebAssembly.Memory, at: number) {
    this.words = new Int32Array(memory.buffer);
    this.word = at >> 2;
  }

  /** What `act` gives, while nobody else holds the lock. */
  hold<T>(act: () => T): T {
    if (this.held) return act();
    const { words, word } = this;
    if (Atomics.compareExchange(words, word, FREE, HELD) !== FREE) this.wait();
    this.held = true;
    try {
      return act();
    } finally {
      this.held = false;
      if (Atomics.exchange(words, word, FREE) === WAITED_FOR) Atomics.notify(words, word, 1);
    }
  }

  private wait(): void {
    const { words, word } = this;
    for (let i = 0; i < SPINS; i++)
      if (Atomics.load(words, word) === FREE && Atomics.compareExchange(words, word, FREE, HELD) === FREE)
        return;
    while (Atomics.exchange(words, word, WAITED_FOR) !== FREE) Atomics.wait(words, word, WAITED_FOR);
  }
}
