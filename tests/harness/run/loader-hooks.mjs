/** The hooks of `loader.mjs`. They run in a thread of their own. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMPILED = join(process.env.PLATEN_TEST_RUN, 'compiled');

export async function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const file = join(COMPILED, relative(ROOT, fileURLToPath(url)).replace(/ts$/, 'js'));
  if (!existsSync(file)) return nextLoad(url, context);
  return { format: 'module', shortCircuit: true, source: readFileSync(file) };
}
