import tseslint from 'typescript-eslint';

/** Rooms in the order in which their doors go: each imports only from rooms before it. */
const ORDER = [
  ['isa'],
  ['engine'],
  ['machine'],
  ['devices', 'firmware', 'media', 'network', 'guest'],
  ['vm'],
  ['manager'],
  ['cli', 'web'],
];
const CLOSED_TO_ALL_BUT_THE_LAST = 'host';

const doors = ORDER.flatMap((rooms, i) =>
  rooms.map((room) => {
    const closed = [
      ...ORDER.slice(i)
        .flat()
        .filter((other) => other !== room),
      ...(i < 5 ? [CLOSED_TO_ALL_BUT_THE_LAST] : []),
      'testing',
    ];
    const patterns = [
      {
        regex: `^(\\.\\./)+(${closed.join('|')})/`,
        message: `${room}/ may not import from there (docs/architecture.md, "Rooms")`,
      },
    ];
    if (i < 5) patterns.push({ regex: '^node:', message: 'only host/node, manager and cli may use Node' });
    return {
      files: [`src/${room}/**/*.ts`],
      ignores: ['**/*.test.ts', '**/test-*.ts', 'src/engine/runtime-tests/**'],
      rules: { 'no-restricted-imports': ['error', { patterns }] },
    };
  }),
);

export default tseslint.config(
  { ignores: ['dist/**', 'dist-tests/**', 'node_modules/**', 'src/engine/runtime/**'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  ...doors,
);
