/**
 * What a test run makes once, in a folder of its own that the teardown removes: the programs without their types, so
 * that a process which a test starts compiles nothing; and, at the first need, a database (../prepared.ts).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, stop } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMMON = {
  absWorkingDir: ROOT,
  outbase: ROOT,
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  sourcesContent: false,
  logLevel: 'error',
};

/** A file in a bundle still finds what lies beside its source. */
const ownPlaces = {
  name: 'own-places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: readFileSync(path, 'utf8').replaceAll(
        'import.meta.url',
        JSON.stringify(pathToFileURL(path).href),
      ),
    }));
  },
};

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
  await Promise.all([
    build({ ...COMMON, entryPoints, outdir: join(folder, 'compiled'), bundle: false }),
    // The command line in a few files instead of hundreds: they take half a second to load.
    build({
      ...COMMON,
      entryPoints: ['cli/platen.ts'],
      outdir: join(folder, 'bundled'),
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      keepNames: true,
      plugins: [ownPlaces],
    }),
  ]);
  await stop();
  // The workers, and what they start, inherit it.
  process.env.PLATEN_TEST_RUN = folder;
}
