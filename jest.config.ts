/** @jest-config-loader esbuild-register */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from 'jest';

/** What a file of tests names when it starts a process, a server or a database. */
const STARTS =
  /harness\/(product|orders|setting|fleet|printer)|node:(child_process|net|http|dgram|tls)|openStore|testStore|tests\/mosquitto|createBroker|far-sides|open-broker|raw-client/;

/** Whether a file starts something, itself or by what it imports from the tests' own folders. */
function starts(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  if (STARTS.test(text)) return true;
  const imported = [...text.matchAll(/from '(\.[^']+\.ts)'/g)].map(([, path = '']) =>
    join(dirname(file), path),
  );
  return imported
    .filter((path) => path.startsWith(join(__dirname, 'tests/')))
    .some((path) => starts(path, seen));
}

/** The test files that start nothing: `npm run test:quick` runs these alone. */
function quickTests(): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.test.ts'], {
    cwd: __dirname,
    encoding: 'utf8',
  });
  return listed
    .trim()
    .split('\n')
    .filter((file) => !file.endsWith('.long.test.ts') && !starts(join(__dirname, file)))
    .map((file) => `<rootDir>/${file}`);
}

// Every reply is checked by its schema, in the products too that tests start.
process.env['PLATEN_TEST_REPLIES'] = '1';

// Everything runs as native ES modules; swc only strips the types, the type check is `npm run check`.
const config: Config = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '<rootDir>/tests/harness/run/transform.mjs',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testMatch: process.env['PLATEN_TEST_QUICK'] ? quickTests() : ['**/*.test.ts'],
  // Tests that take minutes end in .long.test.ts and run with `npm run test:long` only.
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(process.env['PLATEN_TEST_LONG'] ? [] : ['\\.long\\.test\\.ts$']),
  ],
  testTimeout: 150_000,
  globalSetup: '<rootDir>/tests/harness/run/setup.mjs',
  globalTeardown: '<rootDir>/tests/harness/run/teardown.mjs',
  testSequencer: '<rootDir>/tests/harness/run/longest-first.mjs',
  reporters: ['default', '<rootDir>/tests/harness/run/slowest-reporter.mjs'],
  maxWorkers: 2,
  // Jest keeps what every file loaded. A worker with a gigabyte is slow, and needs longer to end than Jest waits.
  workerIdleMemoryLimit: '500MB',
};
export default config;
