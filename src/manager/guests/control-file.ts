/** One paragraph of a Debian control file (deb-control(5)): fields by lower-case name, continuation lines joined by newlines. */
export type Paragraph = Map<string, string>;

export function parseParagraph(text: string): Paragraph {
  const fields: Paragraph = new Map();
  let current = '';
  for (const line of text.split('\n')) {
    if (/^\s/.test(line)) {
      fields.set(current, `${fields.get(current) ?? ''}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    current = line.slice(0, colon).toLowerCase();
    fields.set(current, line.slice(colon + 1).trim());
  }
  return fields;
}

/** What is needed to fetch a package and to check it. */
export interface PackageRecord {
  name: string;
  version: string;
  /** Names of the packages it depends on, the first of each choice. */
  depends: string[];
  /** Path of the .deb under the mirror. */
  filename: string;
  size: number;
  sha256: string;
}

/** Null when a field that is needed is missing. */
export function packageRecord(fields: Paragraph): PackageRecord | null {
  const [name, version, filename, sha256] = ['package', 'version', 'filename', 'sha256'].map((key) =>
    fields.get(key),
  );
  const size = Number(fields.get('size'));
  if (!name || !version || !filename || !sha256 || !Number.isSafeInteger(size)) return null;
  const depends = (fields.get('depends') ?? '')
    .split(',')
    .map((choice) => /^[^\s|(:]*/.exec(choice.trim())![0]);
  return {
    name,
    version,
    depends: depends.filter((dependency) => dependency !== ''),
    filename,
    size,
    sha256,
  };
}

/** Finds a package in the text of a Packages index; null when it is not listed. */
export function findPackage(index: string, name: string): PackageRecord | null {
  const marker = `Package: ${name}\n`;
  for (let at = index.indexOf(marker); at >= 0; at = index.indexOf(marker, at + 1)) {
    if (at > 0 && index[at - 1] !== '\n') continue;
    const end = index.indexOf('\n\n', at);
    return packageRecord(parseParagraph(index.slice(at, end < 0 ? undefined : end)));
  }
  return null;
}
