/** A DHCP client for starting from the network (RFC 2131; Preboot Execution Environment 2.1, 2.2). */
import { put16, put32, u32 } from '../ethernet.js';
import { sameBytes, type IpAddress } from '../ip-address.js';
import {
  ACK,
  BOOT_REPLY,
  BOOT_REQUEST,
  COOKIE,
  DISCOVER,
  FIXED_BYTES,
  NAK,
  OFFER,
  OPTION_BOOT_FILE,
  OPTION_END,
  OPTION_REQUESTED,
  OPTION_ROUTER,
  OPTION_SERVER,
  OPTION_SUBNET_MASK,
  OPTION_TFTP_SERVER,
  OPTION_TYPE,
  OPTIONS,
  readOptions,
  REQUEST,
} from '../nat/dhcp.js';
import type { Datagram } from '../nat/udp.js';
import { parseIp } from '../ip-address.js';
import type { Progress } from '../../machine/progress.js';
import type { UdpHost } from './udp-host.js';

const CLIENT_PORT = 68;
const SERVER_PORT = 67;
const ALL: IpAddress = Uint8Array.of(255, 255, 255, 255);
const MESSAGE_BYTES = 548;
/** How long each of several tries waits, ms. */
const TRIES_MS = [1000, 2000, 4000];
/** Offers with a file are better: so long is waited for one. */
const BETTER_MS = 500;

const FLAG_BROADCAST = 0x8000;
const OPTION_WANTED = 55;
const OPTION_MOST_BYTES = 57;
const OPTION_CLASS = 60;
const OPTION_ARCHITECTURE = 93;
const OPTION_INTERFACE = 94;
const WANTED = [1, 3, 6, 12, 15, 28, 43, 54, 60, 66, 67, 128, 129, 130];
const CLASS = 'PXEClient:Arch:00000:UNDI:002001';

export interface BootLease {
  readonly address: IpAddress;
  /** Of the TFTP server. */
  readonly server: IpAddress;
  /** Empty: there is nothing to start. */
  readonly file: string;
  /** What was sent and answered, as programs ask for it. */
  readonly discover: Uint8Array;
  readonly acknowledged: Uint8Array;
}

interface Answer {
  readonly bytes: Uint8Array;
  readonly options: Map<number, Uint8Array>;
}

/** Gets an address for `host`, which has it then; a text says why there is none. `inbox`: what comes for port 68. */
export function* requestLease(
  host: UdpHost,
  mac: Uint8Array,
  inbox: () => Datagram | null,
  now: () => number,
): Progress<BootLease | string> {
  const xid = (u32(mac, 2) ^ 0x56495621) >>> 0;
  const discover = message(mac, xid, DISCOVER, []);
  const offer = yield* exchange(discover, [OFFER]);
  if (!offer) return 'no DHCP server answers';
  const address = offer.bytes.slice(16, 20);
  const server = offer.options.get(OPTION_SERVER) ?? offer.bytes.subarray(20, 24);
  const request = message(mac, xid, REQUEST, [
    [OPTION_REQUESTED, address],
    [OPTION_SERVER, server],
  ]);
  const answer = yield* exchange(request, [ACK, NAK]);
  if (!answer) return 'the DHCP server does not answer any more';
  if (answer.options.get(OPTION_TYPE)?.[0] === NAK) return 'the DHCP server took its offer back';
  host.address = answer.bytes.slice(16, 20);
  host.mask = four(answer.options.get(OPTION_SUBNET_MASK));
  host.router = four(answer.options.get(OPTION_ROUTER));
  // Some servers tell of the file only in their offer.
  const told = fileOf(answer) !== '' ? answer : offer;
  return {
    address: host.address,
    server: tftpServer(told),
    file: fileOf(told),
    discover,
    acknowledged: answer.bytes,
  };

  /** Sends until an answer of one of these types is there; one that names a file rather than one that does not. */
  function* exchange(bytes: Uint8Array, types: readonly number[]): Progress<Answer | null> {
    for (const wait of TRIES_MS) {
      host.send({
        destination: ALL,
        sourcePort: CLIENT_PORT,
        destinationPort: SERVER_PORT,
        payload: bytes,
      });
      let end = now() + wait;
      let best: Answer | null = null;
      while (now() < end) {
        const datagram = inbox();
        if (!datagram) {
          yield;
          continue;
        }
        const answer = parse(datagram.payload, mac, xid);
        if (!answer || !types.includes(answer.options.get(OPTION_TYPE)?.[0] ?? 0)) continue;
        if (fileOf(answer) !== '' || types.includes(ACK)) return answer;
        if (!best) end = Math.min(end, now() + BETTER_MS);
        best ??= answer;
      }
      if (best) return best;
    }
    return null;
  }
}

function message(
  mac: Uint8Array,
  xid: number,
  type: number,
  more: [code: number, value: Uint8Array][],
): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_BYTES);
  bytes.set([BOOT_REQUEST, 1, 6, 0]);
  put32(bytes, 4, xid);
  put16(bytes, 10, FLAG_BROADCAST);
  bytes.set(mac, 28);
  put32(bytes, FIXED_BYTES, COOKIE);
  const options: [number, ArrayLike<number>][] = [
    [OPTION_TYPE, [type]],
    [OPTION_WANTED, WANTED],
    [OPTION_MOST_BYTES, [MESSAGE_BYTES >> 8, MESSAGE_BYTES & 0xff]],
    [OPTION_CLASS, new TextEncoder().encode(CLASS)],
    [OPTION_ARCHITECTURE, [0, 0]],
    [OPTION_INTERFACE, [1, 2, 1]],
    ...more,
  ];
  let at = OPTIONS;
  for (const [code, value] of options) {
    bytes.set([code, value.length], at);
    bytes.set(Array.from(value), at + 2);
    at += 2 + value.length;
  }
  bytes[at] = OPTION_END;
  return bytes;
}

function parse(bytes: Uint8Array, mac: Uint8Array, xid: number): Answer | null {
  if (bytes.length < OPTIONS || bytes[0] !== BOOT_REPLY || u32(bytes, 4) !== xid) return null;
  if (!sameBytes(bytes.subarray(28, 34), mac) || u32(bytes, FIXED_BYTES) !== COOKIE) return null;
  return { bytes, options: readOptions(bytes) };
}

const four = (option: Uint8Array | undefined): IpAddress =>
  option && option.length >= 4 ? option.slice(0, 4) : new Uint8Array(4);

const text = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes).split('\0')[0]!;

function fileOf({ bytes, options }: Answer): string {
  const named = options.get(OPTION_BOOT_FILE);
  return named ? text(named) : text(bytes.subarray(108, 236));
}

/** The server that the message names, or else who sent it. */
function tftpServer({ bytes, options }: Answer): IpAddress {
  const next = bytes.slice(20, 24);
  if (next.some((byte) => byte !== 0)) return next;
  const named = options.get(OPTION_TFTP_SERVER);
  return (named && parseIp(text(named))) ?? four(options.get(OPTION_SERVER));
}
