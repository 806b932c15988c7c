/** Ages of versions by a catalog, against a search that walks every path. */
import { expect, test } from '@jest/globals';
import semver from 'semver';
import { randomFor } from '../../base/random.ts';
import { compileCatalog } from '../../compatibility/index.ts';
import type { Catalog, Release } from '../../schemas/types.ts';
import { firmwareAge } from './firmware.ts';

const SEED = 20261130;

function ageIn(releases: Release[], version: string, scheme: 'semver' | 'dotted' = 'semver') {
  const document: Catalog = { catalog: 'x', software: [{ id: 'a', scheme, releases }] };
  return firmwareAge(compileCatalog(document).catalog, 'a', version);
}

const LINE: Release[] = [
  { version: '1.0.0' },
  { version: '1.1.0', status: 'withdrawn' },
  { version: '1.2.0', from: '>=1.0.0' },
  { version: '2.0.0', from: '>=1.2.0' },
  { version: '2.1.0', from: '>=1.9.0', status: 'staged' },
  { version: '3.0.0', from: '2.1.0' },
];

test.each([
  ['1.0.0', { status: 'released', behind: 3, newest: '3.0.0', allowed: '2.0.0' }],
  ['1.1.0', { status: 'withdrawn', behind: 3, newest: '3.0.0', allowed: '2.0.0' }],
  ['1.1.5', { status: 'unlisted', behind: 3, newest: '3.0.0', allowed: '2.0.0' }],
  ['2.0.0', { status: 'released', behind: 1, newest: '3.0.0' }],
  ['2.1.0', { status: 'staged', behind: 1, newest: '3.0.0', allowed: '3.0.0' }],
  ['3.0.0', { status: 'released', behind: 0, newest: '3.0.0' }],
  ['4.0.0', { status: 'unlisted', behind: 0, newest: '3.0.0' }],
  ['no version', { status: 'unlisted', newest: '3.0.0' }],
])('%s is told with its age and how far it may go', (version, age) => {
  expect(ageIn(LINE, version)).toEqual(age);
});

test('software that no catalog has, and a fleet without a catalog, have no age', () => {
  expect(firmwareAge(undefined, 'a', '1.0.0')).toEqual({ status: 'unlisted' });
  expect(firmwareAge(compileCatalog({ catalog: 'x' }).catalog, 'a', '1.0.0')).toEqual({ status: 'unlisted' });
});

test('the newest allowed is what a search over all paths finds', () => {
  const random = randomFor(SEED, 'firmware');
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  for (let round = 0; round < 300; round += 1) {
    const versions = Array.from({ length: 2 + Math.floor(random() * 7) }, (_, index) => `${index + 1}.0.0`);
    const releases: Release[] = versions.map((version) => ({
      version,
      ...(random() < 0.7 ? { from: pick(['>=', '<=', '']) + pick(versions) } : {}),
      ...(random() < 0.3 ? { status: pick(['staged', 'withdrawn'] as const) } : {}),
    }));
    const installed = random() < 0.8 ? pick(versions) : `${pick(versions).slice(0, -1)}5`;
    const reached = new Set([installed]);
    for (const at of reached) {
      for (const { version, status = 'released', from } of releases) {
        const up = semver.gt(version, at) && status === 'released';
        if (up && (from === undefined || semver.satisfies(at, from))) reached.add(version);
      }
    }
    reached.delete(installed);
    const [allowed] = [...reached].sort(semver.rcompare);
    const found = ageIn(releases, installed).allowed;
    expect({ seed: SEED, round, releases, installed, allowed: found }).toEqual({
      seed: SEED,
      round,
      releases,
      installed,
      allowed,
    });
  }
});
