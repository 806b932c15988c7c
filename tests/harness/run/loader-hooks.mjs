/** The hooks of `loader.mjs`. They run in their own thread. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const COMPILED = join(process.env.PLATEN_TEST_RUN, 'compiled');
const PROGRAM = pathToFileURL(join(ROOT, 'cli/platen.ts')).href;
const BUNDLED = pathToFileURL(join(process.env.PLATEN_TEST_RUN, 'bundled/')).href;

/** Packages are resolved from the program's source, not from its bundle. */
export function resolve(specifier, context, nextResolve) {
  const bare = !/^(\.{0,2}\/|file:|node:)/.test(specifier);
  if (bare && context.parentURL?.startsWith(BUNDLED))
    return nextResolve(specifier, { ...context, parentURL: PROGRAM });
  return nextResolve(specifier, context);
}

export async function load(url, context, nextLoad) {
  if (url === PROGRAM) {
    const source = `import ${JSON.stringify(new URL('cli/platen.js', BUNDLED).href)};`;
    return { format: 'module', shortCircuit: true, source };
  }
  if (url.startsWith(BUNDLED))
    return { format: 'module', shortCircuit: true, source: readFileSync(fileURLToPath(url)) };
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
  const file = join(COMPILED, relative(ROOT, fileURLToPath(url)).replace(/ts$/, 'js'));
  if (!existsSync(file)) return nextLoad(url, context);
  return { format: 'module', shortCircuit: true, source: readFileSync(file) };
}
