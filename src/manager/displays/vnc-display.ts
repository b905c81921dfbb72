import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { picture } from '../../devices/display/picture.js';
import { UserError } from '../../machine/user-error.js';
import type { VirtualMachine } from '../../vm/virtual-machine.js';
import { RfbSession, type RfbHost } from './rfb-session.js';

const REFRESH_MS = 33;
const PASSWORD = 'VIV_VNC_PASSWORD';
const PASSWORD_FILE = 'VIV_VNC_PASSWORD_FILE';
const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];
const LEFT = 1;
const MIDDLE = 4;
const RIGHT = 2;

/** Shows the screen to VNC clients, and takes their keys and pointers. */
export class VncDisplay {
  private readonly server: Server;
  private readonly sessions = new Set<RfbSession>();
  private readonly sockets = new Set<{ destroy(): void }>();
  private readonly timer: NodeJS.Timeout;
  private last = { x: 0, y: 0 };

  private constructor(private readonly machine: VirtualMachine) {
    const host: RfbHost = {
      password: password(),
      picture: () => picture(machine.board.vga!, machine.board.events.clock.now()),
      key: (code, down) => machine.key(code, down),
      pointer: (x, y, screen, buttons) => this.pointer(x, y, screen, buttons),
    };
    this.server = createServer((socket) => {
      const session = new RfbSession(socket, host);
      this.sessions.add(session);
      this.sockets.add(socket);
      socket.on('close', () => {
        this.sessions.delete(session);
        this.sockets.delete(socket);
      });
    });
    this.timer = setInterval(() => {
      for (const session of this.sessions) session.update();
    }, REFRESH_MS);
  }

  /** Listens; a UserError when it cannot. */
  static async open(machine: VirtualMachine, host: string, port: number): Promise<VncDisplay> {
    const display = new VncDisplay(machine);
    if (!LOOPBACK.includes(host) && password() === null)
      throw new UserError(
        `--display vnc=${host}:${port}: others could use the machine there; set ${PASSWORD} or ${PASSWORD_FILE} first`,
      );
    await new Promise<void>((resolve, reject) => {
      display.server.once('error', (error) => {
        display.close();
        reject(new UserError(`--display vnc=${host}:${port}: cannot listen there: ${error.message}`));
      });
      display.server.listen(port, host, resolve);
    });
    process.stderr.write(`viv: the screen is at vnc://${host}:${port}\n`);
    return display;
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
    for (const socket of this.sockets) socket.destroy();
  }
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
