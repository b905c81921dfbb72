/** What local APICs, I/O APIC and message signalled interrupts say to each other (Intel SDM volume 3, 11.6 to 11.11). */

// Delivery modes, as in ICR, LVT, redirection entries and MSI data
export const FIXED = 0;
export const LOWEST_PRIORITY = 1;
export const SMI = 2;
export const NMI = 4;
export const INIT = 5;
export const STARTUP = 6;
export const EXT_INT = 7;

/** First vector that an APIC may deliver. */
export const FIRST_VECTOR = 16;

export interface ApicMessage {
  mode: number;
  vector: number;
  destination: number;
  logical: boolean;
  /** The destination has 32 bits (from an APIC in x2APIC mode); else 8. */
  wide: boolean;
  levelTriggered: boolean;
}

/** A local APIC as the bus sees it. */
export interface ApicAgent {
  /** Processor priority, for lowest-priority arbitration. */
  readonly priority: number;
  matches(message: ApicMessage): boolean;
  /** False if it was not accepted. */
  receive(mode: number, vector: number, levelTriggered: boolean): boolean;
}

// Message address and data (SDM volume 3, 11.11)
const MSI_LOGICAL = 1 << 2;
const MSI_MODE_SHIFT = 8;
const MSI_LEVEL_TRIGGERED = 1 << 15;
const MSI_BASE = 0xfee;

/** A message signalled interrupt: a memory write of 32 bits that a device makes. */
export type MsiSend = (address: bigint, data: number) => void;

export class ApicBus {
  private readonly agents: ApicAgent[] = [];
  private readonly eoiListeners: ((vector: number) => void)[] = [];

  add(agent: ApicAgent): void {
    this.agents.push(agent);
  }

  /** `listener` is told of the vector when a level-triggered interrupt has been serviced. */
  onEoi(listener: (vector: number) => void): void {
    this.eoiListeners.push(listener);
  }

  /** False if no APIC accepted the message. */
  deliver(message: ApicMessage): boolean {
    const targets = this.agents.filter((agent) => agent.matches(message));
    if (message.mode === LOWEST_PRIORITY) {
      if (targets.length === 0) return false;
      const best = targets.reduce((first, second) => (second.priority < first.priority ? second : first));
      return best.receive(FIXED, message.vector, message.levelTriggered);
    }
    return this.deliverTo(targets, message);
  }

  /** To all, or to all but one. */
  broadcast(message: ApicMessage, except?: ApicAgent): void {
    this.deliverTo(
      this.agents.filter((agent) => agent !== except),
      message,
    );
  }

  private deliverTo(targets: ApicAgent[], { mode, vector, levelTriggered }: ApicMessage): boolean {
    let accepted = false;
    for (const agent of targets) accepted = agent.receive(mode, vector, levelTriggered) || accepted;
    return accepted;
  }

  endOfInterrupt(vector: number): void {
    for (const listener of this.eoiListeners) listener(vector);
  }

  /** Writes to addresses that are not those of interrupt messages have no effect. */
  readonly sendMessage: MsiSend = (address, data) => {
    if (address >> 20n !== BigInt(MSI_BASE)) return;
    const low = Number(address & 0xfffffn);
    this.deliver({
      mode: (data >> MSI_MODE_SHIFT) & 7,
      vector: data & 0xff,
      destination: low >> 12,
      logical: (low & MSI_LOGICAL) !== 0,
      wide: false,
      levelTriggered: (data & MSI_LEVEL_TRIGGERED) !== 0,
    });
  };
}
