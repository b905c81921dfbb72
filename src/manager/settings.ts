import { UserError } from '../machine/user-error.js';

/** `FILE,name=value,…`; a comma in the file's name is written twice. */
export function parts(option: string, text: string): { path: string; settings: Map<string, string> } {
  const { first, lists } = listParts(option, text);
  const settings = new Map<string, string>();
  for (const [name, [value, ...more]] of lists) {
    if (more.length > 0) throw new UserError(`${option} ${text}: ${name} is given twice`);
    settings.set(name, value!);
  }
  return { path: first, settings };
}

/** The same, where a setting may be given several times. */
export function listParts(option: string, text: string): { first: string; lists: Map<string, string[]> } {
  const pieces = text.split(/(?<!,),(?!,)/).map((piece) => piece.replaceAll(',,', ','));
  const lists = new Map<string, string[]>();
  for (const piece of pieces.slice(1)) {
    const [name, ...value] = piece.split('=');
    if (value.length === 0)
      throw new UserError(`${option} ${text}: "${piece}" is no setting; write name=value`);
    lists.set(name!, [...(lists.get(name!) ?? []), value.join('=')]);
  }
  return { first: pieces[0]!, lists };
}

export function choose<T extends string>(
  option: string,
  name: string,
  value: string | undefined,
  known: readonly T[],
  usual: T,
): T {
  if (value === undefined) return usual;
  const found = known.find((choice) => choice === value);
  if (found === undefined)
    throw new UserError(`${option}: ${name}=${value} is not known; choose from ${known.join(', ')}`);
  return found;
}

export function refuseOthers(
  option: string,
  settings: ReadonlyMap<string, unknown>,
  known: readonly string[],
): void {
  for (const name of settings.keys())
    if (!known.includes(name))
      throw new UserError(`${option}: there is no setting "${name}" (but ${known.join(', ')})`);
}
