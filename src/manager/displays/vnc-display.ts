import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { UserError } from '../../machine/user-error.js';
import type { VirtualMachine } from '../../vm/virtual-machine.js';
import type { DisplayChoice } from '../drive-options.js';
import { RfbSession, type RfbHost } from './rfb-session.js';
import { Screen } from './screen.js';

const REFRESH_MS = 33;
const PASSWORD = 'VIV_VNC_PASSWORD';
const PASSWORD_FILE = 'VIV_VNC_PASSWORD_FILE';
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const MOST_MESSAGE = 2 ** 21;
const LEFT = 1;
const MIDDLE = 4;
const RIGHT = 2;

type VncChoice = Extract<DisplayChoice, { kind: 'vnc' }>;

/** Shows the screen to VNC clients, and takes their keys and pointers. */
export class VncDisplay {
  private readonly server: Server;
  private readonly sessions = new Set<RfbSession>();
  private readonly sockets = new Set<{ destroy(): void }>();
  private readonly timer: NodeJS.Timeout;
  private last = { x: 0, y: 0 };
  private webSockets: WebSocketServer | null = null;
  private readonly host: RfbHost;

  private constructor(private readonly machine: VirtualMachine) {
    const screen = new Screen(machine.board.vga!, () => machine.board.events.clock.now());
    this.host = {
      password: password(),
      look: () => screen.look(),
      key: (code, down) => machine.key(code, down),
      pointer: (x, y, screen, buttons) => this.pointer(x, y, screen, buttons),
    };
    this.server = createServer((socket) => {
      socket.setNoDelay(true);
      this.serve(socket);
    });
    this.timer = setInterval(() => {
      for (const session of this.sessions) session.update();
    }, REFRESH_MS);
  }

  private serve(socket: Duplex): void {
    const session = new RfbSession(socket, this.host);
    this.sessions.add(session);
    this.sockets.add(socket);
    socket.on('close', () => {
      this.sessions.delete(session);
      this.sockets.delete(socket);
    });
  }

  /** Listens; a UserError when it cannot. */
  static async open(machine: VirtualMachine, { host, port, webSocket }: VncChoice): Promise<VncDisplay> {
    const display = new VncDisplay(machine);
    if (!LOOPBACK.includes(host) && password() === null)
      throw new UserError(
        `--display vnc=${host}:${port}: others could use the machine there; set ${PASSWORD} or ${PASSWORD_FILE} first`,
      );
    await new Promise<void>((resolve, reject) => {
      const refuse = (where: number) => (error: Error) => {
        display.close();
        reject(new UserError(`--display vnc=${host}: cannot listen on port ${where}: ${error.message}`));
      };
      display.server.once('error', refuse(port));
      display.server.listen(port, host, () => {
        if (webSocket === null) return resolve();
        display.webSockets = display.listenForPages(host, webSocket, resolve);
        display.webSockets.once('error', refuse(webSocket));
      });
    });
    process.stderr.write(`viv: the screen is at vnc://${host}:${port}\n`);
    if (webSocket !== null)
      process.stderr.write(`viv: for clients in pages, as noVNC, it is at ws://${host}:${webSocket}\n`);
    return display;
  }

  /** RFB in messages of WebSocket. Without a password only pages of this host may connect: any page that is looked at could else. */
  private listenForPages(host: string, port: number, listening: () => void): WebSocketServer {
    const verifyClient = ({ origin }: { origin: string | undefined }): boolean =>
      password() !== null || origin === undefined || LOOPBACK.includes(hostOf(origin));
    const server = new WebSocketServer({ host, port, verifyClient, maxPayload: MOST_MESSAGE }, listening);
    server.on('connection', (socket) => this.serve(createWebSocketStream(socket)));
    return server;
  }

  /** The pointer is where the client's is; where the guest does not know such pointers, its mouse moves by as much. */
  private pointer(x: number, y: number, screen: { width: number; height: number }, buttons: number): void {
    const { last } = this;
    this.last = { x, y };
    const wheel = buttons & 8 ? -1 : buttons & 16 ? 1 : 0;
    const pressed = (buttons & 1 ? LEFT : 0) | (buttons & 2 ? MIDDLE : 0) | (buttons & 4 ? RIGHT : 0);
    const at = { x: x / Math.max(1, screen.width - 1), y: y / Math.max(1, screen.height - 1) };
    this.machine.pointer(at, { right: x - last.x, down: y - last.y }, wheel, pressed);
  }

  close(): void {
    clearInterval(this.timer);
    this.server.close();
    this.webSockets?.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Of a page's origin, as `http://localhost:8080`; empty if it has none. */
function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[|\]$/g, '') : '';
}

/** From the environment, or a file that it names; null: clients need none. */
function password(): string | null {
  const file = process.env[PASSWORD_FILE];
  if (file === undefined) return process.env[PASSWORD] ?? null;
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } catch (error) {
    throw new UserError(`${PASSWORD_FILE}=${file} cannot be read: ${(error as Error).message}`);
  }
}
