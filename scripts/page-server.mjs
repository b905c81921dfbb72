// Serves examples/page, with the built engine and the demo guest, to browsers of this machine:
//
//   npm run page [-- --port 8080]
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };
/** What makes a page cross-origin isolated, without which there is no shared memory (HTML standard, 7.1.4). */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Listens on 127.0.0.1; port 0: any free one. `folder`: of the page, from the project's root; `guest`: paths of `kernel` and
 * `initrd`, and `append`; `onPost`: what to do with what the page sends.
 */
export async function servePage({ folder, guest, port, onPost }) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const fail = (status) => response.writeHead(status).end();
    if (request.method === 'POST' && onPost) {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => onPost(Buffer.concat(chunks).toString()));
      return fail(204);
    }
    if (request.method !== 'GET') return fail(405);
    if (pathname === '/guest/append') return response.writeHead(200, ISOLATED).end(guest.append);
    const ofGuest = { '/guest/kernel': guest.kernel, '/guest/initrd': guest.initrd }[pathname];
    // URL has resolved all dots by now.
    const inRoot = pathname.startsWith('/dist/')
      ? pathname
      : join(folder, pathname === '/' ? 'index.html' : pathname);
    const path = ofGuest ?? join(root, inRoot);
    if (!existsSync(path) || !statSync(path).isFile()) return fail(404);
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    response.writeHead(200, { ...ISOLATED, 'Content-Type': type });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } });
  const { debianGuest } = await import('../dist/manager/guests/debian.js');
  const guest = await debianGuest({ arch: 'amd64', flavour: 'cloud' });
  const server = await servePage({ folder: 'examples/page', guest, port: Number(values.port) });
  console.log(`http://127.0.0.1:${server.address().port}/ (Ctrl-C ends it)`);
}
