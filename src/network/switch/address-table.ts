/** Which port an address was last seen at (IEEE 802.1D, 7.8 and 7.9). */
const AGEING_MS = 300_000;
/** A guest may make up as many addresses as it likes. */
const MOST_OF_A_PORT = 1024;

interface Entry<Port> {
  port: Port;
  seen: number;
}

export class AddressTable<Port> {
  private readonly vlans = new Map<number, Map<number, Entry<Port>>>();
  private readonly counts = new Map<Port, number>();

  learn(vlan: number, address: number, port: Port, now: number): void {
    let table = this.vlans.get(vlan);
    if (!table) this.vlans.set(vlan, (table = new Map()));
    const known = table.get(address);
    if (known) {
      known.seen = now;
      if (known.port === port) return;
      this.count(known.port, -1);
      known.port = port;
      this.count(port, 1);
      return;
    }
    if ((this.counts.get(port) ?? 0) >= MOST_OF_A_PORT)
      this.forget((entry) => entry.port === port && now - entry.seen > AGEING_MS);
    if ((this.counts.get(port) ?? 0) >= MOST_OF_A_PORT) return;
    table.set(address, { port, seen: now });
    this.count(port, 1);
  }

  find(vlan: number, address: number, now: number): Port | undefined {
    const entry = this.vlans.get(vlan)?.get(address);
    return entry && now - entry.seen <= AGEING_MS ? entry.port : undefined;
  }

  forgetPort(port: Port): void {
    this.forget((entry) => entry.port === port);
  }

  private forget(which: (entry: Entry<Port>) => boolean): void {
    for (const [vlan, table] of this.vlans) {
      for (const [address, entry] of table)
        if (which(entry)) {
          table.delete(address);
          this.count(entry.port, -1);
        }
      if (table.size === 0) this.vlans.delete(vlan);
    }
  }

  private count(port: Port, change: number): void {
    const count = (this.counts.get(port) ?? 0) + change;
    if (count === 0) this.counts.delete(port);
    else this.counts.set(port, count);
  }
}
