/** Network cards as the BIOS uses them: by their cable, so that it needs no drivers. */
import type { BiosDownload, BiosLease, BiosNetwork, UdpMessage } from '../firmware/bios/machine.js';
import type { Clock } from '../machine/clock.js';
import { Frame, NO_OFFLOAD } from '../machine/frame.js';
import type { Progress } from '../machine/progress.js';
import { requestLease } from '../network/client/dhcp-client.js';
import { TftpDownload, type TftpSource } from '../network/client/tftp-client.js';
import { UdpHost } from '../network/client/udp-host.js';
import { forReceiver } from '../network/complete.js';
import { macText } from '../network/ethernet.js';
import type { Datagram } from '../network/nat/udp.js';
import type { CardCable } from './card-cable.js';

const MOST_WAITING = 64;
const DHCP_CLIENT_PORT = 68;
const FIRST_TFTP_PORT = 2070;
const NS_PER_MS = 1e6;

export class BootNetwork implements BiosNetwork {
  readonly kind = 'network';
  readonly name: string;
  raw = false;
  /** Frames as they came, and datagrams that were in them. */
  private readonly frames: Uint8Array[] = [];
  private datagrams: Datagram[] = [];
  private readonly host: UdpHost;
  private tftpPort = FIRST_TFTP_PORT;
  private opened = false;
  private readonly now: () => number;

  /** `place`: bus, device and function on PCI, as in a configuration address; null: the card is not there. */
  constructor(
    readonly number: number,
    readonly mac: Uint8Array,
    readonly place: number | null,
    readonly cable: CardCable,
    clock: Clock,
  ) {
    this.name = `network card ${number} (${macText(mac)})`;
    this.now = () => clock.now() / NS_PER_MS;
    const link = { mac, send: (frame: Uint8Array) => this.send(frame), now: this.now };
    this.host = new UdpHost(link, (datagram) => {
      if (this.datagrams.length >= MOST_WAITING) this.datagrams.shift();
      this.datagrams.push(datagram);
    });
  }

  /** On PCI; null: it is not there. */
  get slot(): number | null {
    return this.place === null ? null : this.place >> 3;
  }

  get connected(): boolean {
    return this.cable.connected;
  }
  open(): void {
    if (this.opened) return;
    this.opened = true;
    this.cable.listen((frame) => this.arrived(frame));
  }

  close(): void {
    this.opened = false;
    this.cable.listen(null);
    this.frames.length = 0;
    this.datagrams = [];
    this.raw = false;
  }

  reset(): void {
    this.close();
    this.host.reset();
  }

  private arrived(frame: Frame): void {
    for (const piece of forReceiver(frame, NO_OFFLOAD)) {
      // Nobody has asked for a while: a system has taken over.
      if (this.frames.length >= MOST_WAITING) return this.close();
      this.frames.push(piece.bytes.slice());
    }
  }

  /** What has arrived goes to IP, unless frames are wanted. */
  private poll(): void {
    this.open();
    if (this.raw) return;
    for (let frame = this.frames.shift(); frame; frame = this.frames.shift()) this.host.receive(frame);
    this.host.tick();
  }

  send(frame: Uint8Array): void {
    this.open();
    this.cable.send(Frame.of(frame));
    this.cable.flush();
  }

  take(): Uint8Array | null {
    this.open();
    return this.frames.shift() ?? null;
  }

  sendUdp({ address, router, sourcePort, destinationPort, payload }: UdpMessage): void {
    this.poll();
    const datagram = { destination: address, sourcePort, destinationPort, payload };
    if (router.some((byte) => byte !== 0)) this.host.send(datagram, router);
    else this.host.send(datagram);
  }

  takeUdp(port: number): (UdpMessage & { destination: Uint8Array }) | null {
    const datagram = this.datagramFor(port);
    return datagram && { ...datagram, address: datagram.source, router: new Uint8Array(4) };
  }

  private datagramFor(port: number): Datagram | null {
    this.poll();
    const index = this.datagrams.findIndex(({ destinationPort }) => port === 0 || destinationPort === port);
    return index < 0 ? null : this.datagrams.splice(index, 1)[0]!;
  }

  private inbox(port: number): () => Datagram | null {
    return () => this.datagramFor(port);
  }

  lease(): Progress<BiosLease | string> {
    this.reset();
    return requestLease(this.host, this.mac, this.inbox(DHCP_CLIENT_PORT), this.now);
  }

  *download(source: TftpSource): Progress<BiosDownload | string> {
    this.tftpPort = this.tftpPort === 0xffff ? FIRST_TFTP_PORT : this.tftpPort + 1;
    const { host, tftpPort, now } = this;
    const download = new TftpDownload(host, source, tftpPort, this.inbox(tftpPort), now);
    return (yield* download.open()) ?? download;
  }
}
