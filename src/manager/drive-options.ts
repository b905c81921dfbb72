import { BOOT_ORDER, type BootDevice } from '../firmware/bios/machine.js';
import { UserError } from '../machine/user-error.js';
import { BUSES, type Bus } from '../vm/image-drive.js';
import { choose, parts, refuseOthers } from './settings.js';

/** `snapshot`: what the guest writes is forgotten when the machine ends; `immutable`: when it starts anew. */
export const MODES = ['normal', 'readonly', 'immutable', 'writethrough', 'snapshot'] as const;
export type DiskMode = (typeof MODES)[number];

/** A drive, as the user named it. */
export interface DriveChoice {
  readonly kind: 'disk' | 'cdrom' | 'floppy';
  /** Empty: a drive without a medium. */
  readonly path: string;
  readonly bus: Bus;
  /** null: found by looking. */
  readonly format: string | null;
  readonly mode: DiskMode;
  /** What the image names, as its backing file, may be outside of its folder. */
  readonly anywhere: boolean;
}

/** `bus`: what it is plugged into where that is not said. */
export function parseDisk(text: string, bus: Bus = 'ide'): DriveChoice {
  const { path, settings } = parts('--disk', text);
  if (path === '') throw new UserError(`--disk ${text}: name the file of the disk`);
  refuseOthers('--disk', settings, ['bus', 'format', 'mode', 'chain']);
  return {
    kind: 'disk',
    path,
    bus: choose('--disk', 'bus', settings.get('bus'), BUSES, bus),
    format: settings.get('format') ?? null,
    mode: choose('--disk', 'mode', settings.get('mode'), MODES, 'normal'),
    anywhere:
      choose('--disk', 'chain', settings.get('chain'), ['folder', 'anywhere'] as const, 'folder') ===
      'anywhere',
  };
}

export function parseCdrom(text: string): DriveChoice {
  const { path, settings } = parts('--cdrom', text);
  refuseOthers('--cdrom', settings, ['bus']);
  const bus = choose('--cdrom', 'bus', settings.get('bus'), ['ide', 'ahci', 'scsi'] as const, 'ide');
  return {
    kind: 'cdrom',
    path: path === 'empty' ? '' : path,
    bus,
    format: 'raw',
    mode: 'readonly',
    anywhere: false,
  };
}

export function parseFloppy(text: string): DriveChoice {
  const { path, settings } = parts('--floppy', text);
  refuseOthers('--floppy', settings, ['mode']);
  const mode = choose(
    '--floppy',
    'mode',
    settings.get('mode'),
    ['normal', 'readonly', 'snapshot'] as const,
    'normal',
  );
  return {
    kind: 'floppy',
    path: path === 'empty' ? '' : path,
    bus: 'ide',
    format: 'raw',
    mode,
    anywhere: false,
  };
}

export interface FirmwareChoice {
  readonly path: string;
  /** The file of its variables. */
  readonly variables: string | null;
}

/** `FILE` or `FILE,vars=FILE`. */
export function parseBios(text: string): FirmwareChoice {
  const { path, settings } = parts('--bios', text);
  refuseOthers('--bios', settings, ['vars']);
  return { path, variables: settings.get('vars') ?? null };
}

const LETTERS: Record<string, BootDevice> = { a: 'floppy', c: 'disk', d: 'cdrom', n: 'network' };

export interface BootChoice {
  readonly order: readonly BootDevice[];
  readonly menu: boolean;
}

/** `order=dc,menu=on`: a floppy, c disk, d CD, n network. */
export function parseBoot(text: string | undefined): BootChoice {
  if (text === undefined) return { order: BOOT_ORDER, menu: false };
  const { settings } = parts('--boot', `,${text}`);
  refuseOthers('--boot', settings, ['order', 'menu']);
  const letters = settings.get('order');
  const order = letters === undefined ? BOOT_ORDER : [...letters].map((letter) => LETTERS[letter]);
  if (order.some((device) => device === undefined) || new Set(order).size !== order.length)
    throw new UserError(
      `--boot order=${letters}: name each of a (floppy), c (disk), d (CD) and n (network) once at most, as in order=dc`,
    );
  const menu = choose('--boot', 'menu', settings.get('menu'), ['on', 'off'] as const, 'off') === 'on';
  return { order: order as BootDevice[], menu };
}

export type DisplayChoice =
  | { kind: 'none' }
  | { kind: 'text' }
  | { kind: 'png'; path: string }
  /** `webSocket`: port for clients in pages, as noVNC; null: none. */
  | { kind: 'vnc'; host: string; port: number; webSocket: number | null };

const VNC_FIRST_PORT = 5900;

export function parseDisplay(text: string): DisplayChoice {
  if (text === 'none' || text === 'text') return { kind: text };
  if (text.startsWith('png=') && text.length > 4) return { kind: 'png', path: text.slice(4) };
  const vnc = /^vnc(?:=(.*?):(\d+))?(?:,websocket=(\d+))?$/.exec(text);
  if (vnc) {
    const number = Number(vnc[2] ?? 0);
    // As other servers: small numbers are displays, from port 5900 on.
    const port = number < 100 ? VNC_FIRST_PORT + number : number;
    const webSocket = vnc[3] === undefined ? null : Number(vnc[3]);
    const wrong = [port, webSocket ?? 1].find((one) => one < 1 || one > 0xffff);
    if (wrong !== undefined) throw new UserError(`--display ${text}: ${wrong} is no port`);
    return { kind: 'vnc', host: vnc[1] || '127.0.0.1', port, webSocket };
  }
  throw new UserError(
    `--display ${text}: not a display; choose none, text, vnc, vnc=HOST:PORT, vnc=HOST:PORT,websocket=PORT or png=FILE`,
  );
}
