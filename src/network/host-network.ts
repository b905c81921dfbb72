/** What the network asks of the host. Addresses are text, as the host writes them. */

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Why a connection ended or was not made. */
export type TcpFailure = 'refused' | 'reset' | 'unreachable' | 'timeout';

export interface TcpEvents {
  connected(): void;
  /** Bytes that the callee may keep. */
  data(bytes: Uint8Array): void;
  /** The peer will send no more. */
  ended(): void;
  /** What was written before has gone to the host's own buffers: there is room. */
  drained(): void;
  /** Nothing follows. null: both sides had ended. */
  closed(failure: TcpFailure | null): void;
}

export interface HostTcp {
  /** Bytes that were written and still wait in this process. */
  readonly waiting: number;
  /** true: the bytes are needed until all was written, and must stay as they are. */
  write(bytes: Uint8Array): boolean;
  /** Nothing more will be written. */
  end(): void;
  reset(): void;
  /** No `data` until `resume`. */
  pause(): void;
  resume(): void;
}

export interface HostUdp {
  send(bytes: Uint8Array, to: Endpoint): void;
  close(): void;
}

export interface UdpEvents {
  message(bytes: Uint8Array, from: Endpoint): void;
  /** The host says that what was sent cannot arrive. */
  failed(failure: 'refused' | 'unreachable' | 'too big'): void;
}

/** TCP on a port of an address, or at a path of a UNIX socket. */
export type ListenPlace = Endpoint | { readonly path: string };

export interface Listener {
  /** The port, where any would do (0). */
  readonly port: number;
  close(): void;
}

export interface ResolverSettings {
  /** Addresses, maybe with a port (`127.0.0.53`, `[::1]:5353`), in the order in which they are asked. */
  readonly servers: readonly Endpoint[];
  readonly search: readonly string[];
}

export interface HostNetwork {
  connect(to: Endpoint | { path: string }, events: TcpEvents): HostTcp;
  /** Rejects with an Error whose message says what is wrong. */
  listen(at: ListenPlace, accept: (socket: HostTcp) => TcpEvents): Promise<Listener>;
  /** `bind`: null for any port of any address. */
  udp(family: 4 | 6, events: UdpEvents): HostUdp;
  bindUdp(at: Endpoint, events: UdpEvents): Promise<HostUdp>;
  /** Asks a host for an echo of so many bytes; milliseconds, or null if none came. */
  echo(address: string, bytes: number): Promise<number | null>;
  /** The resolver as the host has it now. */
  resolver(): ResolverSettings;
  /** Addresses that the host's own table (/etc/hosts) has for a name now, in small letters. */
  hostsOf(name: string): readonly string[];
  namesOf(address: string): readonly string[];
  /** The host's own addresses now. */
  ownAddresses(): readonly string[];
}
