import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StagedRole } from '../../releases/editor.ts';
import type { ReleaseTarget } from '../../releases/targets.ts';
import { temporaryFolder } from '../../tests/harness/folder.ts';
import { command } from './release.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('platen-release-');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  process.exitCode = undefined;
});
const at = (...parts: string[]) => join(folder, ...parts);

/** Runs `platen release …` and gives what it prints with --json. */
async function release<T>(...args: string[]): Promise<T> {
  const lines: string[] = [];
  const write = process.stdout.write;
  process.stdout.write = ((text: string) => lines.push(text) > 0) as typeof process.stdout.write;
  try {
    const all = [...args, '--json', '--repository', at('repository'), '--keys', at('keys')];
    await command().exitOverride().parseAsync(all, { from: 'user' });
  } finally {
    process.stdout.write = write;
  }
  return JSON.parse(lines.join('')) as T;
}

const CATALOG = {
  catalog: 'one',
  software: [
    {
      id: 'acme.engine',
      vendor: 'acme',
      scheme: 'semver',
      releases: [
        {
          version: '2.5.0',
          from: '>=2.3.0',
          fixes: ['J-7201'],
          requires: [{ software: 'acme.controller', range: '>=3' }],
        },
      ],
    },
  ],
};

test('from the ceremony with a threshold to a release of a vendor, and its revocation', async () => {
  // Three people make their keys, and hand over the public halves.
  const root: string[] = [];
  for (const name of ['ana', 'ben', 'eva']) {
    const { public: pem } = await release<{ public: string }>('key', at(`${name}.pem`));
    expect(statSync(at(`${name}.pem`)).mode & 0o777).toBe(0o600);
    writeFileSync(at(`${name}.pub`), pem);
    root.push('--root-public', at(`${name}.pub`));
  }
  const staged = await release<StagedRole[]>('init', ...root, '--root-threshold', '2');
  expect(staged.map(({ role, complete }) => [role, complete])).toEqual([
    ['root', false],
    ['targets', true],
  ]);
  await expect(release('publish')).rejects.toMatchObject({ code: 'release/unsigned' });
  expect(existsSync(at('repository', 'metadata'))).toBe(false);
  expect((await release<StagedRole>('sign', 'root', '--key', at('ana.pem'))).complete).toBe(false);
  process.env['PLATEN_TEST_KEY'] = readFileSync(at('eva.pem'), 'utf8').replaceAll('\n', '\\n');
  expect((await release<StagedRole>('sign', 'root', '--key', 'env:PLATEN_TEST_KEY')).complete).toBe(true);
  delete process.env['PLATEN_TEST_KEY'];
  await release('publish');
  await expect(release('init')).rejects.toMatchObject({ code: 'release/ceremony' });

  await release('key', at('acme.pem'));
  await release('vendor', 'acme', '--public', at('acme.pem'));
  await release('sign', 'targets');
  await release('sign', 'acme', '--key', at('acme.pem'));
  writeFileSync(at('image'), 'an image');
  writeFileSync(at('catalog.json'), JSON.stringify(CATALOG));
  const added = await release<ReleaseTarget & { role: string }>(
    'add',
    at('image'),
    'acme.engine',
    '2.5.0',
    '--catalog',
    at('catalog.json'),
  );
  expect([added.role, added.length, added.custom.from]).toEqual(['acme', 8, '>=2.3.0']);
  await expect(release('sign', 'acme', '--key', at('ana.pem'))).rejects.toMatchObject({
    code: 'release/wrong-key',
  });
  await release('sign', 'acme', '--key', at('acme.pem'));
  await release('publish');
  expect((await release<ReleaseTarget[]>('list')).map(({ target }) => target)).toEqual([
    'acme.engine/2.5.0.bin',
  ]);
  expect(await release('check', '--catalog', at('catalog.json'))).toEqual([]);

  // The same bytes again change nothing, others are refused.
  await release('add', at('image'), 'acme.engine', '2.5.0', '--catalog', at('catalog.json'));
  expect(await release('status')).toEqual([]);
  writeFileSync(at('image'), 'another image');
  await expect(release('add', at('image'), 'acme.engine', '2.5.0')).rejects.toMatchObject({
    code: 'release/exists',
  });

  await release('revoke', 'acme.engine', '2.5.0', '--because', 'jams more');
  await release('sign', 'acme', '--key', at('acme.pem'));
  await release('publish');
  expect((await release<ReleaseTarget[]>('list'))[0]?.custom.revoked).toBe('jams more');
  CATALOG.software[0]!.releases[0]!.from = '>=2.0.0';
  writeFileSync(at('catalog.json'), JSON.stringify(CATALOG));
  const found = await release<{ field: string }[]>('check', '--catalog', at('catalog.json'));
  expect(found.map(({ field }) => field)).toEqual(['from', 'revoked']);
  expect(process.exitCode).toBe(1);
});

test('what cannot be is refused with its reason', async () => {
  await release('key', at('acme.pem'));
  await expect(release('sign', 'acme', '--key', at('acme.pem'))).rejects.toMatchObject({
    code: 'release/nothing-staged',
  });
  await expect(release('init', '--root-threshold', '2')).rejects.toMatchObject({ code: 'release/ceremony' });
  await expect(release('rotate-key', 'nobody', '--public', at('x'))).rejects.toMatchObject({
    code: 'release/invalid',
  });
  writeFileSync(at('bad.pem'), 'not a key');
  await expect(release('vendor', 'acme', '--public', at('bad.pem'))).rejects.toMatchObject({
    code: 'release/bad-key',
  });
  writeFileSync(at('image'), 'x');
  await expect(release('add', at('image'), '../evil', '1')).rejects.toMatchObject({
    code: 'release/invalid',
  });
});
