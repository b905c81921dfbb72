// Writes docs/instructions.md: every encoding, its forms, and what tests it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const { instructionTable } = await import('../dist/testing/instruction-table.js');
writeFileSync(fileURLToPath(new URL('../docs/instructions.md', import.meta.url)), instructionTable());
