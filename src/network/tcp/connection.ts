/** One end of a TCP connection (RFC 9293), the guest having the other. */
import type { Timers } from '../timers.js';
import { ReceiveQueue } from './receive-queue.js';
import { ACK, distance, FIN, PSH, RST, SYN, tcpHeader, type HeaderFields, type Segment } from './segment.js';
import { Sender } from './sender.js';

/** RFC 9293, 3.7.1: what to assume of peers that say nothing. */
const DEFAULT_MSS = 536;
const LEAST_MSS = 64;
/** Most that is taken in before it went on to the host, bytes; and the shift that tells of it in 16 bits. */
const MOST_WINDOW = 2 ** 20;
const WINDOW_SHIFT = 5;
/** After so long without a word, the peer is asked whether it is there; then so often, so far apart. */
const KEEP_ALIVE_MS = 600_000;
const KEEP_ALIVE_PROBES = 6;
const KEEP_ALIVE_PROBE_MS = 10_000;
/** How long the last acknowledgement may be asked for again. */
const TIME_WAIT_MS = 2000;
const HANDSHAKE_MS = 1000;
const HANDSHAKE_RETRIES = 6;

export interface TcpPorts {
  /** This end's, and the guest's. */
  readonly own: number;
  readonly guest: number;
}

export interface ConnectionEvents {
  /** Sends a segment: its header, with checksum 0, and its payload, to be cut into pieces of `segmentBytes`. */
  transmit(header: Uint8Array, payload: Uint8Array[], segmentBytes: number): void;
  opened(): void;
  /** Bytes in order, which may change when this has returned. */
  data(bytes: Uint8Array): void;
  /** The guest sends no more. */
  ended(): void;
  /** What was written was acknowledged, in part. */
  acknowledged(): void;
  /** How many bytes can be taken now. */
  space(): number;
  /** No connection any more: it was closed by both, reset by the guest, or the guest does not answer. */
  closed(reason: 'done' | 'reset' | 'timeout'): void;
}

type State = 'listening' | 'syn sent' | 'syn received' | 'open' | 'time wait' | 'closed';

export class TcpConnection {
  private state: State;
  private sender: Sender | null = null;
  private readonly received = new ReceiveQueue();
  private receiveNext = 0;
  /** Where the window ends that the guest was told of. */
  private receiveEdge = 0;
  private readonly first: number;
  private segmentBytes: number;
  private guestShift = 0;
  private ownShift = 0;
  private sack = false;
  private finReceived = false;
  private ackWanted = false;
  private lastHeard: number;
  private cancelTimer: (() => void) | null = null;
  private tries = 0;
  /** Bytes written before the connection was open. */
  private early: Uint8Array[] = [];
  private endWanted = false;

  /** `syn`: the guest's, for connections that it opens. `mss`: of the link. */
  constructor(
    private readonly ports: TcpPorts,
    private readonly mss: number,
    private readonly timers: Timers,
    private readonly events: ConnectionEvents,
    syn: Segment | null,
  ) {
    this.first = crypto.getRandomValues(new Uint32Array(1))[0]!;
    this.segmentBytes = mss;
    this.lastHeard = timers.now();
    this.state = 'listening';
    if (syn) this.takeSyn(syn);
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }
  /** Written and not acknowledged, bytes. */
  get waiting(): number {
    return this.sender?.waiting ?? this.early.reduce((sum, { length }) => sum + length, 0);
  }
  /** What the guest takes at once. */
  get guestWindow(): number {
    return this.sender?.window ?? 0;
  }

  // ---- opening

  private takeSyn(syn: Segment): void {
    this.receiveNext = (syn.sequence + 1) >>> 0;
    this.segmentBytes = Math.max(LEAST_MSS, Math.min(this.mss, syn.mss ?? DEFAULT_MSS));
    this.sack = syn.sackPermitted;
    if (syn.windowShift !== null) {
      this.guestShift = syn.windowShift;
      this.ownShift = WINDOW_SHIFT;
    }
  }

  /** Answers the guest's SYN. */
  accept(): void {
    this.state = 'syn received';
    this.sendSyn(SYN | ACK);
  }

  /** Opens a connection to the guest. */
  open(): void {
    this.state = 'syn sent';
    this.sendSyn(SYN);
  }

  private sendSyn(flags: number): void {
    const asked = flags === SYN;
    this.emit({
      sequence: this.first,
      flags,
      // Never scaled (RFC 7323, 2.2).
      window: Math.min(0xffff, this.windowNow()),
      mss: this.mss,
      windowShift: asked || this.ownShift > 0 ? WINDOW_SHIFT : null,
      sackPermitted: asked || this.sack,
    });
    this.schedule(HANDSHAKE_MS * 2 ** this.tries, () => {
      if (++this.tries > HANDSHAKE_RETRIES) this.finish('timeout');
      else this.sendSyn(flags);
    });
  }

  private opened(): void {
    this.state = 'open';
    this.sender = new Sender((this.first + 1) >>> 0, this.segmentBytes, this.timers, {
      transmit: (sequence, parts, push, fin) => this.transmit(sequence, parts, push, fin),
      acknowledged: () => this.events.acknowledged(),
      gaveUp: () => this.abort('timeout'),
    });
    this.keepAlive();
  }

  private flushEarly(): void {
    const { early, sender } = this;
    this.early = [];
    for (const bytes of early) sender!.write(bytes);
    if (this.endWanted) sender!.finish();
  }

  // ---- from the host's side

  write(bytes: Uint8Array): void {
    if (this.state === 'closed' || this.state === 'time wait') return;
    if (this.sender) this.sender.write(bytes);
    else this.early.push(bytes);
  }

  end(): void {
    this.endWanted = true;
    this.sender?.finish();
  }

  /** Tells the guest that there is no connection. */
  abort(reason: 'reset' | 'timeout' = 'reset'): void {
    if (this.state === 'closed') return;
    if (this.state !== 'time wait') {
      const sequence = this.sender
        ? this.sender.next
        : this.state === 'listening'
          ? 0
          : (this.first + 1) >>> 0;
      this.emit({ sequence, flags: RST | ACK, window: 0 });
    }
    this.finish(reason);
  }

  /** Forgets the connection without a word. */
  drop(): void {
    this.state = 'closed';
    this.stop();
  }

  private stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    this.sender?.close();
    this.received.clear();
    this.early = [];
  }

  private finish(reason: 'done' | 'reset' | 'timeout'): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.stop();
    this.events.closed(reason);
  }

  /** There may be more space: tells the guest if that makes a difference to it (RFC 9293, 3.8.6.2.2). */
  spaceChanged(): void {
    if (this.state !== 'open') return;
    const told = distance(this.receiveEdge, this.receiveNext);
    const now = this.windowNow();
    if (now - told >= Math.min(MOST_WINDOW / 2, 2 * this.mss) && told < MOST_WINDOW / 2) this.acknowledge();
  }

  /** That was all that came for now: what wants an acknowledgement gets it. */
  flush(): void {
    if (this.ackWanted) this.acknowledge();
  }

  // ---- from the guest

  receive(segment: Segment): void {
    this.lastHeard = this.timers.now();
    switch (this.state) {
      case 'closed':
        return;
      case 'listening':
        if (segment.flags & RST) this.finish('reset');
        return;
      case 'syn sent':
        return this.receiveInSynSent(segment);
      default:
        return this.receiveInOrder(segment);
    }
  }

  private receiveInSynSent(segment: Segment): void {
    const { flags, acknowledged } = segment;
    const fits = (flags & ACK) !== 0 && acknowledged === (this.first + 1) >>> 0;
    if (flags & RST) {
      if (fits) this.finish('reset');
      return;
    }
    if (!(flags & SYN) || !fits) return;
    this.takeSyn(segment);
    this.cancelTimer?.();
    this.opened();
    this.sender!.window = segment.window;
    this.acknowledge();
    this.events.opened();
    this.flushEarly();
  }

  private receiveInOrder(segment: Segment): void {
    const { flags, sequence, payloadBytes } = segment;
    const window = Math.max(distance(this.receiveEdge, this.receiveNext), 0);
    const end = (sequence + payloadBytes + (flags & FIN ? 1 : 0)) >>> 0;
    if (flags & RST) {
      // Only the very next number, so that nobody can guess it (RFC 5961, 3.2).
      if (sequence === this.receiveNext) this.finish('reset');
      else if (distance(sequence, this.receiveNext) > 0 && distance(sequence, this.receiveEdge) < 0)
        this.acknowledge();
      return;
    }
    if (flags & SYN) {
      if (this.state === 'syn received' && sequence === (this.receiveNext - 1) >>> 0) this.sendSyn(SYN | ACK);
      else this.acknowledge();
      return;
    }
    if (!(flags & ACK)) return;
    // What is wholly old, or beyond the window, is only answered: a keep-alive, a probe, or sent again.
    const old = distance(end, this.receiveNext) < 0 || (end === this.receiveNext && sequence !== end);
    const beyond =
      distance(sequence, this.receiveNext) > window ||
      (distance(sequence, this.receiveNext) < 0 && payloadBytes === 0);
    if (this.state === 'syn received' && !this.takeHandshake(segment)) return;
    if (this.state === 'open') this.sender!.receive(segment, segment.window << this.guestShift);
    if (this.state === 'closed') return;
    if (old || beyond) return this.acknowledge();
    if (payloadBytes > 0) this.receivePayload(segment);
    if (flags & FIN) this.receiveFin((sequence + payloadBytes) >>> 0);
    this.checkDone();
  }

  private takeHandshake(segment: Segment): boolean {
    if (segment.acknowledged !== (this.first + 1) >>> 0) {
      this.emit({ sequence: segment.acknowledged, flags: RST, window: 0 });
      return false;
    }
    this.cancelTimer?.();
    this.opened();
    this.sender!.window = segment.window << this.guestShift;
    this.events.opened();
    this.flushEarly();
    return true;
  }

  private receivePayload({ sequence, payload }: Segment): void {
    if (this.finReceived) return;
    let at = sequence;
    for (const part of payload) {
      this.receiveBytes(at, part);
      at = (at + part.length) >>> 0;
    }
    for (let more = this.received.take(this.receiveNext); more; more = this.received.take(this.receiveNext))
      this.hand(more);
    // A gap is told at once, so that the guest soon sends again what is missing.
    if (!this.received.empty) this.acknowledge();
    else this.ackWanted = true;
  }

  private receiveBytes(sequence: number, bytes: Uint8Array): void {
    const skip = Math.max(0, distance(this.receiveNext, sequence));
    const room = distance(this.receiveEdge, sequence);
    const fresh = bytes.subarray(skip, Math.max(skip, Math.min(bytes.length, room)));
    if (fresh.length === 0) return;
    const at = (sequence + skip) >>> 0;
    if (at === this.receiveNext) this.hand(fresh);
    else this.received.add(at, fresh);
  }

  private hand(bytes: Uint8Array): void {
    this.receiveNext = (this.receiveNext + bytes.length) >>> 0;
    this.events.data(bytes);
  }

  private receiveFin(at: number): void {
    // Out of order it is sent again.
    if (this.finReceived || at !== this.receiveNext) return;
    this.finReceived = true;
    this.receiveNext = (this.receiveNext + 1) >>> 0;
    this.acknowledge();
    this.events.ended();
  }

  private checkDone(): void {
    if (this.state !== 'open' || !this.finReceived || !this.sender!.finAcknowledged) return;
    if (this.ackWanted) this.acknowledge();
    this.state = 'time wait';
    this.cancelTimer?.();
    this.schedule(TIME_WAIT_MS, () => this.finish('done'));
  }

  /** Whether a new connection may take the place of this one (RFC 9293, 3.6.1). */
  canReuse(syn: Segment): boolean {
    return this.state === 'time wait' && distance(syn.sequence, this.receiveNext) > 0;
  }

  // ---- to the guest

  private windowNow(): number {
    return Math.max(0, Math.min(MOST_WINDOW, this.events.space()));
  }

  /** The window field; its edge never moves back. */
  private window(): number {
    const edge = (this.receiveNext + this.windowNow()) >>> 0;
    if (distance(edge, this.receiveEdge) > 0 || distance(this.receiveEdge, this.receiveNext) < 0)
      this.receiveEdge = edge;
    return Math.min(0xffff, distance(this.receiveEdge, this.receiveNext) >> this.ownShift);
  }

  private emit(
    fields: Omit<HeaderFields, 'sourcePort' | 'destinationPort' | 'acknowledged'>,
    payload: Uint8Array[] = [],
  ): void {
    const { own, guest } = this.ports;
    const acknowledged = fields.flags & ACK ? this.receiveNext : 0;
    const header = tcpHeader({ ...fields, sourcePort: own, destinationPort: guest, acknowledged });
    if (fields.flags & SYN) this.receiveEdge = (this.receiveNext + fields.window) >>> 0;
    this.events.transmit(header, payload, this.segmentBytes);
  }

  private acknowledge(): void {
    this.ackWanted = false;
    const sequence = this.sender?.next ?? (this.first + 1) >>> 0;
    const sack = this.sack && !this.received.empty ? { sack: this.received.blocks } : {};
    this.emit({ sequence, flags: ACK, window: this.window(), ...sack });
  }

  private transmit(sequence: number, parts: Uint8Array[], push: boolean, fin: boolean): void {
    this.ackWanted = false;
    this.emit({ sequence, flags: ACK | (push ? PSH : 0) | (fin ? FIN : 0), window: this.window() }, parts);
  }

  // ---- time

  private schedule(milliseconds: number, act: () => void): void {
    this.cancelTimer?.();
    this.cancelTimer = this.timers.after(milliseconds, act);
  }

  /** Asks a silent guest for a sign (RFC 9293, 3.8.4), so that a connection to one that is gone ends some time. */
  private keepAlive(): void {
    const silent = this.timers.now() - this.lastHeard;
    if (silent < KEEP_ALIVE_MS) {
      this.tries = 0;
      return this.schedule(KEEP_ALIVE_MS - silent, () => this.keepAlive());
    }
    if (this.tries++ >= KEEP_ALIVE_PROBES) return this.abort('timeout');
    const { sender } = this;
    this.emit({ sequence: (sender!.next - 1) >>> 0, flags: ACK, window: this.window() });
    this.schedule(KEEP_ALIVE_PROBE_MS, () => this.keepAlive());
  }
}
