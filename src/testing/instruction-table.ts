import { enumerateForms, type Form } from '../isa/forms.js';
import { instructions } from '../isa/instructions.js';
import { whyLeftOut } from './native-cases.js';

const HEAD = `# Instructions

Every encoding that is defined, made by \`node scripts/instruction-table.mjs\` from the definitions (\`src/isa\`).

- *forms*: operand sizes, then r (register) or m (memory), l (LOCK), and how many there are with prefixes and address sizes.
- *tested by*: "processor" is the comparison with a real processor (\`npm run fuzz:native\`); where it leaves forms out, the reason is given, and boots and unit tests are what exercises them.

| instruction | encoding | CPUID | forms | tested by |
|---|---|---|---|---|
`;

function formsText(forms: readonly Form[]): string {
  const sizes = [...new Set(forms.map((f) => f.bits))].join('/');
  const kinds = [
    forms.some((f) => !f.memory) ? 'r' : '',
    forms.some((f) => f.memory) ? 'm' : '',
    forms.some((f) => f.locked) ? 'l' : '',
  ];
  return `${sizes} ${kinds.join('')} (${forms.length})`;
}

function testedBy(forms: readonly Form[]): string {
  const reasons = [...new Set(forms.map(whyLeftOut))];
  if (!reasons.includes('')) return `boots, unit tests; not natively: ${reasons.join('; ')}`;
  const others = reasons.filter((reason) => reason !== '');
  return others.length === 0 ? 'processor' : `processor, but not: ${others.join('; ')}`;
}

/** The text of docs/instructions.md. */
export function instructionTable(): string {
  const { encodings, forms } = enumerateForms(instructions);
  const rows = encodings.map((encoding) => {
    const own = forms.filter((form) => form.encoding === encoding);
    const text = encoding.text.split(';')[0]!.trim();
    return `| ${encoding.instruction.name} | \`${text}\` | ${encoding.cpuid} | ${formsText(own)} | ${testedBy(own)} |`;
  });
  return `${HEAD}${rows.join('\n')}\n\n${encodings.length} encodings, ${forms.length} forms.\n`;
}
