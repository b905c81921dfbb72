import type { Cable, Station } from '../machine/cable.js';
import type { Frame } from '../machine/frame.js';

/**
 * The cable of a card, which wakes a sleeping machine when something arrives, and to which the firmware listens while it starts
 * a system from the network: it needs no driver for the card then.
 */
export class CardCable implements Cable {
  private station: Station | null = null;
  private listener: ((frame: Frame) => void) | null = null;

  constructor(
    private cable: Cable,
    private readonly wake: () => void,
  ) {}

  get connected(): boolean {
    return this.cable.connected;
  }
  get busy(): boolean {
    return this.cable.busy;
  }

  plug(station: Station): void {
    const { wake } = this;
    const hear = (frame: Frame): void => this.listener?.(frame);
    this.station = {
      get abilities() {
        return station.abilities;
      },
      receive(frame) {
        const taken = station.receive(frame);
        // A frame that finds no room comes again.
        if (taken) hear(frame);
        wake();
        return taken;
      },
      flushed: () => station.flushed?.(),
      ready() {
        station.ready?.();
        wake();
      },
      connectionChanged() {
        station.connectionChanged?.();
        wake();
      },
    };
    this.cable.plug(this.station);
  }

  /** Another cable is plugged into the card, which notices. */
  replug(cable: Cable): void {
    const { station } = this;
    this.cable = cable;
    if (!station) return;
    cable.plug(station);
    station.connectionChanged?.();
    // The one before may have been busy.
    station.ready?.();
  }

  send(frame: Frame): void {
    this.cable.send(frame);
  }
  flush(): void {
    this.cable.flush();
  }
  room(): void {
    this.cable.room();
  }

  /** All that arrives is told to `listener`, too; null: no more. */
  listen(listener: ((frame: Frame) => void) | null): void {
    this.listener = listener;
  }
}
