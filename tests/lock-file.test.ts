import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';

interface Locked {
  integrity?: string;
  link?: boolean;
}

test('every package of the lock file has the hash of what is to be installed, for every platform', () => {
  const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const entries = Object.entries(packages).filter(([path, { link }]) => path !== '' && !link);
  expect(entries.length).toBeGreaterThan(300);
  const unproven = entries.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? ''));
  expect(unproven.map(([path]) => path)).toEqual([]);
});
