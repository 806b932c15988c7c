/**
 * What a test run makes once, in a folder of its own that the teardown removes: the programs without their types, so
 * that a process which a test starts compiles nothing; and, at the first need, a database (../prepared.ts).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export default async function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'platen-run-'));
  // Run by root, the database is another user's.
  chmodSync(folder, 0o755);
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const entryPoints = listed
    .trim()
    .split('\n')
    .filter((file) => !/\.(test|d)\.ts$/.test(file) && !file.startsWith('examples/'));
  mkdirSync(join(folder, 'compiled'));
  await build({
    absWorkingDir: ROOT,
    entryPoints,
    outdir: join(folder, 'compiled'),
    outbase: ROOT,
    bundle: false,
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'error',
  });
  // The workers, and what they start, inherit it.
  process.env.PLATEN_TEST_RUN = folder;
}
