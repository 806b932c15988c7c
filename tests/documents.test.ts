/** The documents name files that exist. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../', import.meta.url));

test.each(['docs/architecture.md', 'CONTRIBUTING.md'])('every path in %s exists', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8');
  // A path begins with a folder of the checkout; a bare file name is in the folder last named before it.
  const paths = [...text.matchAll(/`([a-z-]+\/[A-Za-z0-9/._-]*)`/g)].map(([, path = '']) => path);
  expect(paths.length).toBeGreaterThan(3);
  expect(paths.filter((path) => !existsSync(join(ROOT, path)) && !path.startsWith('platen/'))).toEqual([]);
});
