import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cable, Station } from '../../machine/cable.js';
import { Frame, NO_OFFLOAD } from '../../machine/frame.js';
import type { Progress } from '../../machine/progress.js';
import { sequence } from '../../testing/sequence.js';
import { TestHost } from '../../testing/test-host.js';
import { TestTimers } from '../../testing/test-timers.js';
import { forReceiver } from '../complete.js';
import { ipText, parsePrefix } from '../ip-address.js';
import { Nat } from '../nat/nat.js';
import type { Datagram } from '../nat/udp.js';
import { requestLease, type BootLease } from './dhcp-client.js';
import { TftpDownload } from './tftp-client.js';
import { UdpHost } from './udp-host.js';

const MAC = Uint8Array.of(0x52, 0x56, 0, 1, 2, 3);
const OWN_PORT = 2070;

/** A host for firmware and a NAT, with a wire between them that loses every nth frame. */
class Wire {
  readonly timers = new TestTimers();
  readonly datagrams: Datagram[] = [];
  readonly host: UdpHost;
  private station: Station | null = null;
  private passed = 0;
  readonly now = (): number => this.timers.now();

  constructor(
    files: Record<string, Uint8Array>,
    bootFile: string,
    private readonly loses = Infinity,
  ) {
    const link = { mac: MAC, now: this.now, send: (frame: Uint8Array) => this.toNat(frame) };
    this.host = new UdpHost(link, (datagram) => this.datagrams.push(datagram));
    const cable: Cable = {
      connected: true,
      busy: false,
      plug: (station) => (this.station = station),
      send: (frame) => {
        for (const piece of forReceiver(frame, NO_OFFLOAD))
          if (!this.isLost()) this.host.receive(piece.bytes.slice());
      },
      flush() {},
      room() {},
    };
    new Nat(cable, new TestHost(), this.timers, {
      subnet: parsePrefix('10.0.2.0/24')!,
      prefix6: parsePrefix('fd56:6976:6172:2::/64')!,
      outside: false,
      tftp: { read: (name) => files[name] ?? null },
      bootFile,
      policy: { host: false, allow: [], deny: [] },
    });
  }

  private isLost(): boolean {
    return ++this.passed % this.loses === 0;
  }
  private toNat(frame: Uint8Array): void {
    if (!this.isLost()) this.station!.receive(Frame.of(frame));
  }

  inbox(port: number): () => Datagram | null {
    return () => {
      const index = this.datagrams.findIndex(({ destinationPort }) => destinationPort === port);
      return index < 0 ? null : this.datagrams.splice(index, 1)[0]!;
    };
  }

  /** Goes on until it is done, with time in between. */
  finish<T>(work: Progress<T>): T {
    for (let steps = 0; steps < 100_000; steps++) {
      const step = work.next();
      if (step.done) return step.value;
      this.timers.advance(10);
    }
    throw new Error('it does not end');
  }

  lease(): BootLease | string {
    return this.finish(requestLease(this.host, MAC, this.inbox(68), this.now));
  }

  download(file: string, block: number): TftpDownload {
    const source = { server: Uint8Array.of(10, 0, 2, 2), port: 69, file, block };
    return new TftpDownload(this.host, source, OWN_PORT, this.inbox(OWN_PORT), this.now);
  }

  get(file: string, block: number): Uint8Array | string {
    const download = this.download(file, block);
    const refused = this.finish(download.open());
    if (refused !== null) return refused;
    const bytes: number[] = [];
    for (let part = this.finish(download.next()); part !== null; part = this.finish(download.next())) {
      if (typeof part === 'string') return part;
      bytes.push(...part);
    }
    return Uint8Array.from(bytes);
  }
}

const content = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, n) => n * 31 + (n >> 8));

for (const loses of [Infinity, 5])
  test(`a lease and files of every length come, where every ${loses}th frame is lost`, () => {
    const lengths = [0, 1, 511, 512, 513, 1427, 1428, 1429, 40_000];
    const files = Object.fromEntries(lengths.map((length) => [`f${length}`, content(length)]));
    const wire = new Wire(files, 'boot.0', loses);
    const lease = wire.lease();
    assert.ok(typeof lease !== 'string', String(lease));
    assert.deepEqual(
      [ipText(lease.address), ipText(lease.server), lease.file],
      ['10.0.2.15', '10.0.2.2', 'boot.0'],
    );
    for (const length of lengths)
      for (const block of [512, 1428]) assert.deepEqual(wire.get(`f${length}`, block), content(length));
  });

test('what is not there is said', () => {
  const wire = new Wire({}, '');
  const lease = wire.lease();
  assert.ok(typeof lease !== 'string');
  assert.equal(lease.file, '');
  assert.equal(wire.get('none', 512), 'there is no none');
  const silent = new Wire({}, '', 1);
  assert.equal(silent.lease(), 'no DHCP server answers');
  assert.equal(silent.get('any', 512), 'the server does not answer');
});

test('whatever a network sends, nothing is thrown and little is kept', () => {
  const next = sequence(1234);
  const wire = new Wire({ file: content(5000) }, 'file');
  assert.ok(typeof wire.lease() !== 'string');
  const lease = requestLease(wire.host, MAC, wire.inbox(68), wire.now);
  const download = wire.download('file', 1428);
  const opening = download.open();
  for (let n = 0; n < 20_000; n++) {
    const frame = Uint8Array.from({ length: 20 + next(400) }, () => next(256));
    const ports = next(2) ? [0, 69, 8, 22] : [0, 67, 0, 68];
    // Most are for this host, by IPv4 and UDP, or ARP.
    frame.set(MAC);
    frame.set(next(4) ? [8, 0, 0x45, 0, 0, next(255)] : [8, 6, 0, 1, 8, 0], 12);
    if (frame.length > 42 && next(4))
      frame.set([0, 0, 64, 17, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15, ...ports], 20);
    wire.host.receive(frame);
    if (next(8) === 0) {
      wire.timers.advance(1);
      opening.next();
      lease.next();
    }
    wire.datagrams.splice(0, wire.datagrams.length - 10);
  }
});
