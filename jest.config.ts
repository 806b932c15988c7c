/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

// Everything runs as native ES modules; swc only strips the types, the type check is `npm run check`.
const config: Config = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['**/*.test.ts'],
  // Tests that take minutes end in .long.test.ts and run with `npm run test:long` only.
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(process.env['PLATEN_TEST_LONG'] ? [] : ['\\.long\\.test\\.ts$']),
  ],
  testTimeout: 150_000,
  setupFilesAfterEnv: ['<rootDir>/tests/harness/retry.ts'],
  maxWorkers: 2,
};
export default config;
