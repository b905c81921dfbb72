/** VNC clients that were not written here: vncsnapshot, and noVNC in Chromium. Needs Debian's vncsnapshot, imagemagick, novnc and chromium, and grub-rescue-pc. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { decode } from 'fast-png';
import { WebSocket } from 'ws';
import { control, Running, withFolder } from './viv.js';

const NAME = `vnc-clients-${process.pid}`;
const NOVNC = '/usr/share/novnc';
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Picture {
  width: number;
  height: number;
  /** Red, green and blue of each pixel. */
  colours: Uint8Array;
}

function pictureOf(png: Uint8Array): Picture {
  const { width, height, channels, data } = decode(png);
  const colours = new Uint8Array(width * height * 3);
  for (let n = 0; n < width * height; n++)
    for (let c = 0; c < 3; c++) colours[3 * n + c] = data[n * channels + c]!;
  return { width, height, colours };
}

/** Mean difference of the colours, 0 to 255. */
function difference(a: Picture, b: Picture): number {
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
  return a.colours.reduce((sum, colour, n) => sum + Math.abs(colour - b.colours[n]!), 0) / a.colours.length;
}

/** What the machine itself says that its screen shows. */
async function own(folder: string): Promise<Picture> {
  const path = join(folder, 'own.png');
  await control('screenshot', NAME, path);
  return pictureOf(readFileSync(path));
}

function serveNoVnc(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url!, 'http://host').pathname);
    try {
      const bytes = readFileSync(join(NOVNC, path));
      response.setHeader('content-type', TYPES[extname(path)] ?? 'application/octet-stream').end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, '127.0.0.1');
  return new Promise((resolve) => server.once('listening', () => resolve(server)));
}

/** A page of Chromium, steered through its debugging port. */
class Page {
  private number = 0;
  private constructor(private readonly socket: WebSocket) {}

  static async open(debugPort: number): Promise<Page> {
    for (let tries = 0; ; tries++)
      try {
        const answer = await fetch(`http://127.0.0.1:${debugPort}/json`);
        const pages = (await answer.json()) as { type: string; webSocketDebuggerUrl: string }[];
        const socket = new WebSocket(pages.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
        await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
        return new Page(socket);
      } catch (error) {
        if (tries === 40) throw error;
        await sleep(500);
      }
  }

  call(method: string, params: object): Promise<{ result?: { value?: unknown } }> {
    const id = ++this.number;
    return new Promise((resolve) => {
      const take = (message: Buffer): void => {
        const answer = JSON.parse(message.toString()) as {
          id: number;
          result: { result?: { value?: unknown } };
        };
        if (answer.id !== id) return;
        this.socket.off('message', take);
        resolve(answer.result);
      };
      this.socket.on('message', take);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** What noVNC shows; null: not connected yet. */
  async picture(): Promise<Picture | null> {
    const expression = `document.querySelector('canvas')?.toDataURL('image/png')`;
    const { result } = await this.call('Runtime.evaluate', { expression });
    const png = typeof result?.value === 'string' ? result.value.split(',')[1] : '';
    return png ? pictureOf(Buffer.from(png, 'base64')) : null;
  }

  async pressDown(): Promise<void> {
    const at = { x: 450, y: 300, button: 'left', clickCount: 1 };
    await this.call('Input.dispatchMouseEvent', { type: 'mousePressed', ...at });
    await this.call('Input.dispatchMouseEvent', { type: 'mouseReleased', ...at });
    const key = { key: 'ArrowDown', code: 'ArrowDown', windowsVirtualKeyCode: 40 };
    await this.call('Input.dispatchKeyEvent', { type: 'keyDown', ...key });
    await this.call('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
  }
}

async function inChromium(url: string, use: (page: Page) => Promise<void>): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'vivarium-browser-'));
  const debugPort = await freePort();
  const browser = spawn(
    '/usr/bin/chromium',
    [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--window-size=900,700'],
      ...['--disable-background-networking', '--disable-component-update'],
      // It may not ask anything of anybody but this test's servers.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ...[`--remote-debugging-port=${debugPort}`, `--user-data-dir=${profile}`, url],
    ],
    { stdio: 'ignore', detached: true },
  );
  try {
    await use(await Page.open(debugPort));
  } finally {
    const gone = new Promise((resolve) => browser.once('exit', resolve));
    // It has processes of its own, which write into the profile until they end.
    process.kill(-browser.pid!);
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
}

test('vncsnapshot and noVNC show what the screen has, and noVNC presses keys', { timeout: 150_000 }, () =>
  withFolder(async (folder) => {
    const floppy = join(folder, 'grub.img');
    copyFileSync('/usr/lib/grub-rescue/grub-rescue-floppy.img', floppy);
    const [port, webSocket] = [await freePort(), await freePort()];
    const machine = new Running(
      ...['--name', NAME, '--floppy', floppy, '--serial', 'none'],
      ...['--display', `vnc=127.0.0.1:${port},websocket=${webSocket}`],
    );
    const server = await serveNoVnc();
    try {
      await sleep(8000);
      // GRUB stops counting.
      await control('keys', NAME, 'ArrowDown');
      await sleep(1000);
      const before = await own(folder);

      const [jpeg, png] = [join(folder, 'snapshot.jpg'), join(folder, 'snapshot.png')];
      execFileSync('vncsnapshot', ['-quiet', '-quality', '100', `127.0.0.1::${port}`, jpeg], {
        stdio: 'ignore',
      });
      execFileSync('convert', [jpeg, `PNG24:${png}`]);
      assert.ok(difference(pictureOf(readFileSync(png)), before) < 4, 'vncsnapshot');

      const page = `http://127.0.0.1:${(server.address() as AddressInfo).port}/vnc_lite.html`;
      await inChromium(`${page}?host=127.0.0.1&port=${webSocket}&path=`, async (novnc) => {
        const shows = async (expected: Picture): Promise<void> => {
          for (let tries = 0; ; tries++) {
            const shown = await novnc.picture();
            if (shown?.width === expected.width && difference(shown, expected) === 0) return;
            assert.ok(tries < 40, 'noVNC shows something else');
            await sleep(500);
          }
        };
        await shows(before);
        await novnc.pressDown();
        await sleep(2000);
        const after = await own(folder);
        assert.ok(difference(before, after) > 1, 'the key has moved the bar');
        await shows(after);
      });
    } finally {
      server.close();
      server.closeAllConnections();
      await machine.stop();
    }
  }),
);
