import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** What a module exports, by `INDEX@OFFSET` of the function: a profile knows no names of WebAssembly, only these. */
function exportedFunctions(file) {
  const bytes = readFileSync(file);
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  const names = new Map();
  const offsets = [];
  while (at < bytes.length) {
    const section = bytes[at++];
    const length = number();
    const end = at + length;
    if (section === 7)
      for (let left = number(); left > 0; left--) {
        const size = number();
        const name = bytes.toString('utf8', at, (at += size));
        const kind = bytes[at++];
        const index = number();
        if (kind === 0) names.set(index, name);
      }
    if (section === 10)
      for (let left = number(); left > 0; left--) {
        const size = number();
        offsets.push(at);
        at += size;
      }
    at = end;
  }
  // Imported functions come before the module's own.
  const module = new WebAssembly.Module(bytes);
  const imported = WebAssembly.Module.imports(module).filter(({ kind }) => kind === 'function').length;
  return new Map(
    offsets.map((offset, i) => {
      const name = names.get(imported + i) ?? `wasm-function[${imported + i}]`;
      return [`${imported + i}@${offset}`, `${name}  ${basename(file)}`];
    }),
  );
}

/** Prints the functions in which the profiles of a directory (`node --cpu-prof`) spent the most time themselves. */
export function printTop(directory, engine, count) {
  const modules = readdirSync(engine).filter((name) => name.endsWith('.wasm'));
  const known = new Map(modules.flatMap((name) => [...exportedFunctions(join(engine, name))]));
  const nameOf = ({ functionName, url, lineNumber, columnNumber }) => {
    const index = /^wasm-function\[(\d+)\]$/.exec(functionName)?.[1];
    if (index !== undefined) return known.get(`${index}@${columnNumber}`) ?? `${functionName}  ${url}`;
    return `${functionName || '(anonymous)'}${url ? `  ${basename(url)}:${lineNumber + 1}` : ''}`;
  };
  const self = new Map();
  let total = 0;
  for (const file of readdirSync(directory)) {
    const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    samples.forEach((id, i) => {
      self.set(names.get(id), (self.get(names.get(id)) ?? 0) + timeDeltas[i]);
      total += timeDeltas[i];
    });
  }
  console.log(`Self time of ${(total / 1e6).toFixed(1)} s:`);
  for (const [name, time] of [...self].sort((a, b) => b[1] - a[1]).slice(0, count)) {
    const share = ((100 * time) / total).toFixed(1).padStart(5);
    console.log(`${share} %  ${(time / 1e6).toFixed(2).padStart(7)} s  ${name}`);
  }
}
