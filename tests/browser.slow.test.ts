import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianGuest, type DebianGuest } from '../dist/manager/guests/debian.js';
import { installUnless } from './apt.js';
import { COMPLAINTS } from './viv.js';

interface PageServer {
  servePage(options: {
    folder: string;
    guest: DebianGuest;
    port: number;
    onPost: (body: string) => void;
  }): Promise<Server>;
}
interface Report {
  error?: string;
  end?: string;
  /** Milliseconds from the machine's start to each prompt. */
  times: readonly number[];
  text: string;
  tiers: Record<string, number>;
  mode: { kind: string; threads: number; fences: boolean };
  browser: string;
}

const CHROMIUM = '/usr/bin/chromium';
/** It may not ask anything of anybody but this test's server. */
const ARGUMENTS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update'],
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

async function inBrowser(engine: string, cpus: number): Promise<Report> {
  const { servePage } = (await import(
    new URL('../scripts/page-server.mjs', import.meta.url).href
  )) as PageServer;
  const guest = await debianGuest({ arch: 'amd64', flavour: 'cloud' });
  let answer = (_body: string): void => {};
  const body = new Promise<string>((resolve) => (answer = resolve));
  const server = await servePage({ folder: 'tests/browser', guest, port: 0, onPost: (text) => answer(text) });
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(join(tmpdir(), 'vivarium-browser-'));
  const browser = spawn(
    CHROMIUM,
    [...ARGUMENTS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/?engine=${engine}&cpus=${cpus}`],
    { stdio: 'ignore', detached: true },
  );
  const timer = setTimeout(() => answer('{"error":"nothing after 180 s"}'), 180_000);
  try {
    return JSON.parse(await body) as Report;
  } finally {
    clearTimeout(timer);
    const gone = new Promise((resolve) => browser.once('exit', resolve));
    // It has processes of its own, which write into the profile until they end.
    process.kill(-browser.pid!);
    await gone;
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
}

for (const [engine, cpus] of [
  ['translate', 1],
  ['translate', 4],
  ['interpret', 1],
] as const)
  test(
    `Debian boots in a page of Chromium, engine ${engine}, CPUs: ${cpus}`,
    { timeout: 240_000 },
    async (t) => {
      installUnless(CHROMIUM, 'chromium');
      const { error, end, text, tiers, mode, times, browser } = await inBrowser(engine, cpus);
      assert.equal(error, undefined);
      const [prompt = 0, behind = 0] = times.map((ms) => ms / 1000);
      t.diagnostic(
        `${/Chrome\/\S+/.exec(browser)?.[0]}: ${prompt.toFixed(1)} s to the prompt, two awk at once ${(behind - prompt).toFixed(1)} s`,
      );
      assert.equal(text.match(/^500000\r$/gm)?.length, 2);
      assert.match(text, new RegExp(`^sum 42 of ${cpus}\\r$`, 'm'));
      assert.doesNotMatch(text, COMPLAINTS);
      const threads = Math.min(cpus, availableParallelism());
      const fences = threads > 1 && process.arch !== 'x64';
      assert.deepEqual(mode, { kind: threads > 1 ? 'parallel' : 'turns', threads, fences });
      assert.equal(end, 'power-off');
      const translated = tiers['translate'] ?? 0;
      if (engine === 'translate') assert.ok(translated > tiers['interpret']!, JSON.stringify(tiers));
      else assert.equal(translated, 0);
    },
  );
