/**
 * What a test run makes once, in a folder that the teardown removes: the programs with types stripped, so that
 * processes started by tests compile nothing; and, on first use, a database (../prepared.ts).
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

/** A bundled file still finds the files beside its source. */
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
  // When root runs the tests, Postgres runs as another user.
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
    // The command line in a few files: loading hundreds takes half a second.
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
  // The workers and the processes they start inherit it.
  process.env.PLATEN_TEST_RUN = folder;
}
