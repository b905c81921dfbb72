// Runs a machine whose script says what it begins, and takes the times on the host.
import { spawn } from 'node:child_process';

const MARK = 'bench-mark:';

/** The guest's script: each workload says its name when it starts. */
export const markedScript = (workloads) =>
  Object.entries(workloads)
    .map(([name, { command }]) => `echo "${MARK}${name}"\n${command}`)
    .concat(`echo "${MARK}end"`)
    .join('\n');

/**
 * Seconds until the first workload and of each, and what they printed. `firstLine`: a line with its `text` divides the first
 * part in two, `before` and `behind`.
 */
export function timed(command, args, { firstLine, limitSeconds }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const limit = setTimeout(() => child.kill('SIGKILL'), limitSeconds * 1000);
    let since = performance.now();
    let current = firstLine.before;
    let marked = false;
    let rest = '';
    const seconds = {};
    let output = '';
    const next = (name) => {
      const now = performance.now();
      seconds[current] = (now - since) / 1000;
      since = now;
      current = name;
    };
    child.stdout.on('data', (data) => {
      const lines = (rest + data.toString('latin1')).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const at = line.indexOf(MARK);
        if (at >= 0) {
          marked = true;
          next(line.slice(at + MARK.length).trim());
        } else if (current === firstLine.before && line.includes(firstLine.text)) next(firstLine.behind);
        // What starts with a bracket is the kernel's.
        else if (marked && current !== 'end' && !line.startsWith('[')) output += line.trim() + '\n';
      }
    });
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(limit);
      if (current !== 'end') return reject(new Error(`${command} ended in "${current}"`));
      if (!(firstLine.behind in seconds))
        return reject(new Error(`${command}: "${firstLine.text}" was not printed`));
      resolve({ seconds, output });
    });
  });
}

export const geometricMean = (list) => Math.exp(list.reduce((sum, n) => sum + Math.log(n), 0) / list.length);
export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
