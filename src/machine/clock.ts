/**
 * Time of the machine: whole nanoseconds since power-on, never going back. Everything in the machine that needs
 * time asks one clock; exact for 104 days (2^53 ns), to 2 ns for the next 104.
 */
export interface Clock {
  now(): number;
}

/** The time-stamp counter runs at this rate, so one tick is one nanosecond of the clock. */
export const TSC_HZ = 1e9;

export interface SavedClock {
  version: 1;
  now: number;
}

/** Follows the host. `hostNow` is any monotonic count of whole nanoseconds. */
export class RealClock implements Clock {
  private origin: number;
  /** What it shows while it stands still. */
  private standing: number | null = null;

  /** `onOrigin` is told what `hostNow` was, or would have been, at power-on. */
  constructor(
    private readonly hostNow: () => number,
    private readonly onOrigin: (origin: number) => void = () => {},
  ) {
    this.origin = hostNow();
    onOrigin(this.origin);
  }

  now(): number {
    return this.standing ?? this.hostNow() - this.origin;
  }

  /** Stands still until `resume`. */
  pause(): void {
    this.standing ??= this.now();
  }
  resume(): void {
    const { standing } = this;
    if (standing === null) return;
    this.standing = null;
    this.setNow(standing);
  }

  /** Goes on from `ns`: after load, or after a pause that the guest shall not see. */
  setNow(ns: number): void {
    this.origin = this.hostNow() - ns;
    this.onOrigin(this.origin);
  }

  save(): SavedClock {
    return { version: 1, now: this.now() };
  }

  load(state: SavedClock): void {
    this.setNow(state.now);
  }
}

/** A function of what the guest did: one instruction is one nanosecond, plus the time skipped while all CPUs halt. */
export class VirtualClock implements Clock {
  private skipped = 0;

  /** `instructions`: how many the guest has executed so far. */
  constructor(private readonly instructions: () => number) {}

  now(): number {
    return this.instructions() + this.skipped;
  }

  /** Skips to `ns`, the next event, when no CPU can run before it. Does nothing if that has passed. */
  advanceTo(ns: number): void {
    this.skipped += Math.max(0, ns - this.now());
  }

  save(): SavedClock {
    return { version: 1, now: this.now() };
  }

  /** To be called after the instruction counts were loaded. */
  load(state: SavedClock): void {
    this.skipped = state.now - this.instructions();
  }
}

/** Stands still until told: for tests. */
export class ManualClock implements Clock {
  constructor(public time = 0) {}

  now(): number {
    return this.time;
  }
}
