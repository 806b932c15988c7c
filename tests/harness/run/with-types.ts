import { fileURLToPath } from 'node:url';

/**
 * What Node is given to run the project's TypeScript: `[...WITH_TYPES, 'cli/platen.ts']`. In a test run that is what was
 * compiled for it (`setup.mjs`), tsx elsewhere.
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
