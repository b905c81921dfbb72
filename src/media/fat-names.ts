/** Names as FAT has them: eight letters and three, and the long name in pieces before ("Microsoft FAT Specification", section 7). */
import { ImageError } from './disk-image.js';

const LONGEST = 255;
const PART = 13;

export interface FatName {
  /** As `NAME.EXT`. */
  readonly short: string;
  /** The long name, cut as its entries hold it: the last letters first. Empty if the short name says all. */
  readonly parts: readonly string[];
}

/** Names of all that is in one folder; each is there once, in large or small letters. */
export function nameAll(names: readonly string[]): FatName[] {
  const longNames = new Set<string>();
  const shortNames = new Set<string>();
  const tails = new Map<string, number>();
  // A short name that is as the file is called must not go to another.
  for (const name of names) if (isShort(name)) shortNames.add(name);
  return names.map((name) => {
    const long = unique(name.replace(/[\x00-\x1f\\/:*?"<>|]/g, '_').replace(/[. ]+$/, '') || '_', longNames);
    if (long.length > LONGEST) throw new ImageError(`the name ${name} is longer than ${LONGEST} letters`);
    if (isShort(long) && long === name) return { short: long, parts: [] };
    const short = shortened(long, shortNames, tails);
    shortNames.add(short);
    const count = Math.ceil(long.length / PART);
    const parts = Array.from({ length: count }, (_, n) =>
      long.slice((count - 1 - n) * PART, (count - n) * PART),
    );
    return { short, parts };
  });
}

function unique(name: string, used: Set<string>): string {
  let chosen = name;
  for (let n = 2; used.has(chosen.toUpperCase()); n++) chosen = name.replace(/(\.[^.]*)?$/, ` (${n})$1`);
  used.add(chosen.toUpperCase());
  return chosen;
}

function isShort(name: string): boolean {
  return /^[A-Z0-9!#$%&'()@^_`{}~-]{1,8}(\.[A-Z0-9!#$%&'()@^_`{}~-]{1,3})?$/.test(name);
}

/** `A long name.text` becomes `ALONGN~1.TEX`. `tails`: the last number behind the same letters, as there may be many. */
function shortened(name: string, used: ReadonlySet<string>, tails: Map<string, number>): string {
  const clean = (text: string): string =>
    text
      .toUpperCase()
      .replace(/[ .]/g, '')
      .replace(/[^A-Z0-9!#$%&'()@^_`{}~-]/g, '_');
  const dot = name.lastIndexOf('.');
  const base = clean(dot > 0 ? name.slice(0, dot) : name);
  const ending = dot > 0 ? clean(name.slice(dot + 1)).slice(0, 3) : '';
  const whole = (stem: string): string => (ending === '' ? stem : `${stem}.${ending}`);
  const plain = whole(base);
  // The letters alone may fit, in large ones.
  if (plain === name.toUpperCase() && isShort(plain) && !used.has(plain)) return plain;
  const family = whole(base.slice(0, 6));
  for (let n = (tails.get(family) ?? 0) + 1; ; n++) {
    const tail = `~${n}`;
    const chosen = whole(base.slice(0, 8 - tail.length) + tail);
    if (used.has(chosen)) continue;
    tails.set(family, n);
    return chosen;
  }
}

/** The eleven bytes of an entry. */
export function shortNameBytes(short: string): Uint8Array {
  const dot = short.startsWith('.') ? -1 : short.indexOf('.');
  const base = dot < 0 ? short : short.slice(0, dot);
  const ending = dot < 0 ? '' : short.slice(dot + 1);
  return new TextEncoder().encode(base.padEnd(8) + ending.padEnd(3));
}
