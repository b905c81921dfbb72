// Runs the compiled tests: those beside the code (dist/) and those of tests/ (dist-tests/). Arguments: parts of file names to
// pick; --slow: the files named *.slow.test.js, and no others.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const slow = process.argv.includes('--slow');
const wanted = process.argv.slice(2).filter((arg) => arg !== '--slow');
const files = ['dist', 'dist-tests']
  .map((folder) => join(root, folder))
  .filter(existsSync)
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name)))
  .filter((name) => name.endsWith('.test.js') && name.endsWith('.slow.test.js') === slow)
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`no test file matches ${wanted.join(' ')}\n`);
  process.exit(1);
}
const record = join(root, 'dist/test.tap');
const reporters = ['spec', 'stdout', 'tap', record];
const { status } = spawnSync(
  process.execPath,
  [
    '--test',
    ...reporters.map((value, i) => `--test-reporter${i % 2 ? '-destination' : ''}=${value}`),
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
);
const counted = (name) =>
  Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(readFileSync(record, 'utf8'))?.[1] ?? 0);
console.log(`${counted('pass')} passed, ${counted('fail') + counted('cancelled')} failed`);
process.exit(status ?? 1);
