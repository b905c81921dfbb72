/** A device on one of the two PS/2 connectors, as the controller sees it. */
export interface Ps2Device {
  /** A byte from the system; the answer comes by `next`. */
  receive(byte: number): void;
  /** Takes the next byte that the device wants to send; undefined if there is none. */
  next(): number | undefined;
  reset(): void;
  save(): object;
  load(state: object): void;
}
