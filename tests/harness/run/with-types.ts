import { fileURLToPath } from 'node:url';

/**
 * Node's arguments for running the project's TypeScript: `[...WITH_TYPES, 'cli/platen.ts']`. In a test run they load
 * what `setup.mjs` compiled, otherwise tsx.
 */
export const WITH_TYPES: readonly string[] = [
  '--import',
  fileURLToPath(
    new URL(
      process.env['PLATEN_TEST_RUN'] ? './loader.mjs' : '../../../node_modules/tsx/dist/loader.mjs',
      import.meta.url,
    ),
  ),
];
