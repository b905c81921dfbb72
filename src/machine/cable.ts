import type { Frame, OffloadAbilities } from './frame.js';

/** What is plugged into a cable: a network card, the host's side of a NAT, another switch. */
export interface Station {
  /** false: there is no room now, and `Cable.room` will be called when there is. */
  receive(frame: Frame): boolean;
  /** What need not be done on frames for this station. */
  readonly abilities: OffloadAbilities;
  /** Those who sent have sent all for now: what is done for several frames at once can be done. */
  flushed?(): void;
  /** The cable is busy no more. Never called within `send`; also for who takes up a card whose state was loaded. */
  ready?(): void;
  /** The cable was plugged into something, or pulled. */
  connectionChanged?(): void;
}

/** A station's end of a cable. */
export interface Cable {
  /** Whether there is something at the other end. */
  readonly connected: boolean;
  /**
   * What is sent now would wait long, or be lost: who can keep it for a while does, until `Station.ready`. It is for a second at
   * most, whatever happens at the other end.
   */
  readonly busy: boolean;
  /** Puts the station there. */
  plug(station: Station): void;
  /** Sends a frame, whose bytes may change when this has returned. */
  send(frame: Frame): void;
  /** That was all for now: what others do for several frames at once can be done. */
  flush(): void;
  /** The station has room again. */
  room(): void;
}
