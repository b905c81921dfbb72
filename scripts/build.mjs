// Builds what changed: TypeScript into dist/, the runtime (AssemblyScript) and the generated interpreter into dist/engine/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);

const newest = (path) => {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
};

const run = (what, script, args) => {
  process.stderr.write(`${what} ...\n`);
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    process.stderr.write(`${what} failed\n`);
    process.exit(1);
  }
};

const tsc = at('node_modules/typescript/bin/tsc');
run('Compiling TypeScript', tsc, ['-p', '.']);
if (process.argv.includes('--tests')) run('Compiling the tests', tsc, ['-p', 'tests']);

const runtime = at('dist/engine/runtime.wasm');
mkdirSync(at('dist/engine'), { recursive: true });
const runtimeSources = Math.max(
  newest(at('src/engine/runtime')),
  newest(at('src/engine/layout.ts')),
  newest(at('src/engine/interpreter/record.ts')),
);
if (newest(runtime) < runtimeSources) {
  run('Compiling the runtime', at('node_modules/assemblyscript/bin/asc.js'), [
    'src/engine/runtime/index.ts',
    '-o',
    runtime,
    '--importMemory',
    '--sharedMemory',
    '--initialMemory',
    '32',
    '--maximumMemory',
    '65536',
    '--enable',
    'simd,threads,bulk-memory',
    '--runtime',
    'stub',
    '--use',
    'abort=',
    '-O3',
    '--noAssert',
    // names, for profiles and stack traces
    '--debug',
    '--memoryBase',
    '1024',
  ]);
}

const interpreter = at('dist/engine/interpreter.wasm');
if (
  newest(interpreter) <
  Math.max(newest(at('dist/isa')), newest(at('dist/engine/interpreter')), newest(at('dist/engine/layout.js')))
) {
  process.stderr.write('Generating the interpreter ...\n');
  const load = (path) => import(pathToFileURL(at('dist', path)));
  const { generateInterpreter } = await load('engine/interpreter/generate.js');
  const { instructions } = await load('isa/instructions.js');
  writeFileSync(interpreter, generateInterpreter(instructions));
}

// What a command or a thread loads first is one file each, with what they share: Node takes a third of a second to load
// hundreds of them. All of these lie one folder deep in dist/, so a module's own place is as far from each.
process.stderr.write('Bundling the command ...\n');
const { metafile } = await build({
  entryPoints: ['src/cli/viv.ts', 'src/manager/cpu-thread.ts'].map((path) => at(path)),
  outbase: at('src'),
  outdir: at('dist'),
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  // Those of node_modules stay there: what is installed anew counts at once, and their licences are with them.
  packages: 'external',
  metafile: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  plugins: [
    {
      name: 'own place',
      setup: ({ onLoad }) =>
        onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => {
          const text = readFileSync(path, 'utf8');
          if (!text.includes('import.meta.url')) return null;
          const place = `../${relative(at('src'), path).replaceAll('\\', '/')}`;
          const url = `new URL(${JSON.stringify(place)}, import.meta.url)`;
          return { contents: text.replaceAll('import.meta.url', url), loader: 'ts' };
        }),
    },
  ],
});
const chunks = Object.keys(metafile.outputs).map((path) => basename(path));
for (const name of readdirSync(at('dist/chunks')))
  if (!chunks.includes(name)) rmSync(at('dist/chunks', name));
writeFileSync(at('dist/.built'), '');
