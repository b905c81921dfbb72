import type { Clock } from './clock.js';
import { checkVersion } from './state.js';

/** `deadline` is the time that the event was armed for; the clock may already show a little more. */
export type EventCallback = (deadline: number) => void;

/** An event that comes once at a moment; can be armed again, also from its own callback. */
export class Timer {
  /** Nanoseconds; undefined while disarmed. */
  deadline: number | undefined;
  /** Order among events of the same moment. */
  sequence = 0;

  constructor(
    private readonly queue: EventQueue,
    readonly name: string,
    readonly callback: EventCallback,
  ) {}

  /** Replaces an earlier deadline. Infinity disarms. */
  arm(deadline: number): void {
    this.queue.arm(this, deadline);
  }

  disarm(): void {
    this.queue.disarm(this);
  }
}

export interface SavedEvents {
  version: 1;
  /** In the order in which they will come. */
  armed: [name: string, deadline: number][];
}

/** What will happen when: ordered by time, then by when it was armed, so that a run is repeatable. */
export class EventQueue {
  /** Called when an event was armed that comes before all others: whoever runs until `next()` must look again. */
  onEarlier: () => void = () => {};
  private readonly timers = new Map<string, Timer>();
  private readonly queue: Timer[] = [];
  private sequence = 0;

  constructor(readonly clock: Clock) {}

  /** Makes a timer. Its state is saved under `name`, which no other timer may have. */
  timer(name: string, callback: EventCallback): Timer {
    if (this.timers.has(name)) throw new RangeError(`there are two timers named ${name}`);
    const timer = new Timer(this, name, callback);
    this.timers.set(name, timer);
    return timer;
  }

  /** The timer's device is gone; another may take its name. */
  remove(timer: Timer): void {
    this.disarm(timer);
    this.timers.delete(timer.name);
  }

  /** One event that is no part of the machine's state (of a test, of the program around the machine). */
  at(deadline: number, callback: EventCallback): Timer {
    const timer = new Timer(this, '', callback);
    this.arm(timer, deadline);
    return timer;
  }

  cancel(event: Timer): void {
    this.disarm(event);
  }

  arm(timer: Timer, deadline: number): void {
    this.disarm(timer);
    if (deadline === Infinity) return;
    timer.deadline = deadline;
    timer.sequence = this.sequence++;
    let index = this.queue.length;
    while (index > 0 && this.queue[index - 1]!.deadline! > deadline) index--;
    this.queue.splice(index, 0, timer);
    if (index === 0) this.onEarlier();
  }

  disarm(timer: Timer): void {
    if (timer.deadline === undefined) return;
    this.queue.splice(this.queue.indexOf(timer), 1);
    timer.deadline = undefined;
  }

  /** When the next event is due; undefined if there is none. */
  next(): number | undefined {
    return this.queue[0]?.deadline;
  }

  /** Runs all that is due at `now`, in order, also what those events arm for `now` or before. */
  runDue(now = this.clock.now()): void {
    for (let first = this.queue[0]; first && first.deadline! <= now; first = this.queue[0]) {
      const deadline = first.deadline!;
      this.disarm(first);
      first.callback(deadline);
    }
  }

  save(): SavedEvents {
    const armed = this.queue.filter((timer) => timer.name !== '');
    return { version: 1, armed: armed.map((timer) => [timer.name, timer.deadline!]) };
  }

  load(state: SavedEvents): void {
    checkVersion('the event queue', state, 1);
    for (const timer of this.timers.values()) this.disarm(timer);
    for (const [name, deadline] of state.armed) this.timers.get(name)?.arm(deadline);
  }
}
