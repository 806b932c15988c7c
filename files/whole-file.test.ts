import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fileJournal } from '../agent/updater/journal.ts';
import { Authority } from '../broker/access/authority.ts';
import { CredentialFile } from '../broker/access/credential-file.ts';
import { FleetState } from '../device-sim/fleet-state.ts';
import { PlatenError } from '../schemas/errors.ts';
import { readWholeJson, readWholePem, writeWhole, writeWholeSync } from './whole-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a file is replaced as a whole, and nothing temporary stays, also when many write it at once', async () => {
  const file = join(folder, 'deep', 'er', 'a.json');
  writeWholeSync(file, '{"first":true}');
  const texts = Array.from({ length: 30 }, (_, n) => JSON.stringify({ n, fill: 'x'.repeat(n * 1_000) }));
  await Promise.all(texts.map((text) => writeWhole(file, text)));
  expect(texts).toContain(readFileSync(file, 'utf8'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(file))).toEqual(['a.json']);
});

test('an exclusive write leaves what is there, and nothing of its own', async () => {
  const file = join(folder, 'key.pem');
  await writeWhole(file, 'one', { exclusive: true });
  await expect(writeWhole(file, 'two', { exclusive: true })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(() => writeWholeSync(file, 'two', { exclusive: true })).toThrow(/EEXIST/);
  expect(readFileSync(file, 'utf8')).toBe('one');
  expect(readdirSync(folder)).toEqual(['key.pem']);
});

test('a write that fails leaves the old file whole', () => {
  const file = join(folder, 'a.json');
  writeWholeSync(file, '{"old":1}');
  // A folder under the name of the file: the rename fails, after everything was written.
  mkdirSync(join(folder, 'taken', 'inner'), { recursive: true });
  expect(() => writeWholeSync(join(folder, 'taken'), '{}')).toThrow();
  expect(readdirSync(folder).sort()).toEqual(['a.json', 'taken']);
  expect(readWholeJson(file, '')).toEqual({ old: 1 });
});

test('what root writes into the folder of somebody else belongs to them', async () => {
  if (process.getuid?.() !== 0) {
    writeWholeSync(join(folder, 'mine.json'), '{}');
    expect(statSync(join(folder, 'mine.json')).uid).toBe(process.getuid?.());
    return;
  }
  chownSync(folder, 12_345, 12_346);
  writeWholeSync(join(folder, 'a.json'), '{}');
  await writeWhole(join(folder, 'b.json'), '{}');
  for (const name of ['a.json', 'b.json']) {
    expect(statSync(join(folder, name))).toMatchObject({ uid: 12_345, gid: 12_346 });
  }
});

test('a file that is missing is undefined, one that may not be read says whose it is and what to type', () => {
  expect(readWholeJson(join(folder, 'none.json'), 'do this')).toBeUndefined();
  expect(readWholePem(join(folder, 'none.pem'), 'do this')).toBeUndefined();
  const file = join(folder, 'closed.json');
  writeFileSync(file, '{}');
  chmodSync(file, 0);
  const id = process.getuid?.();
  // Root reads everything: for the test it becomes somebody else.
  if (id === 0) {
    chmodSync(folder, 0o755);
    process.seteuid?.(65_534);
  }
  try {
    expect(() => readWholeJson(file, '')).toThrow(
      expect.objectContaining({
        code: 'file/denied',
        hint: expect.stringContaining(`sudo chown -R`),
      }),
    );
  } finally {
    if (id === 0) process.seteuid?.(0);
  }
});

/** What a power cut, a bad disk or half a copy leave of a file. */
const DAMAGES: Record<string, (file: string) => void> = {
  'cut to nothing': (file) => truncateSync(file, 0),
  'cut in the middle': (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'all zeros': (file) => writeFileSync(file, Buffer.alloc(statSync(file).size)),
};

/** Every small file that can't be made anew: how it comes to be and how it is read, with a word of the advice. */
const FILES: Record<string, { make(): Promise<string>; read(file: string): unknown; advice: RegExp }> = {
  "the updater's journal": {
    make: async () => {
      fileJournal(folder).save({ ended: ['e/1'] });
      return join(folder, 'journal.json');
    },
    read: () => fileJournal(folder).load(),
    advice: /remove the file, and start again/,
  },
  "the broker's credentials": {
    make: async () => {
      const file = join(folder, 'credentials.json');
      new CredentialFile(file).put('ann', 'admin', 'hash');
      return file;
    },
    read: (file) => new CredentialFile(file),
    advice: /Restore it from a copy/,
  },
  'the key of the authority': {
    make: async () => {
      await Authority.open(folder, Date.now);
      return join(folder, 'ca-key.pem');
    },
    read: () => Authority.open(folder, Date.now),
    advice: /Restore the folder from a copy/,
  },
  'the list of certificates': {
    make: async () => {
      await (await Authority.open(folder, Date.now)).issue('p1');
      return join(folder, 'issued.json');
    },
    read: () => Authority.open(folder, Date.now),
    advice: /Restore it from a copy/,
  },
  'the state of a simulation': {
    make: async () => {
      const state = new FleetState(join(folder, 'fleet.json'));
      state.keep('p1', {
        structure: { apparatus: { model: 'M', serial: 'S', hardware: '1' }, units: [] } as never,
        pages: 1,
      });
      state.flush();
      return join(folder, 'fleet.json');
    },
    read: (file) => new FleetState(file),
    advice: /Remove it to start the simulation over/,
  },
};

describe.each(Object.entries(FILES))('%s', (_name, { make, read, advice }) => {
  test.each(Object.entries(DAMAGES))('%s: says which file and what to do', async (_how, damage) => {
    const file = await make();
    damage(file);
    const error = await Promise.resolve()
      .then(() => read(file))
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error).toBeInstanceOf(PlatenError);
    const { code, message, hint } = error as PlatenError;
    expect(code).toBe('file/damaged');
    expect(message).toContain(file);
    expect(hint).toMatch(advice);
  });
});

test.each(Object.entries(DAMAGES))(
  "the server's certificate and the note about it, %s: made anew without a word",
  async (_how, damage) => {
    for (const name of ['server.json', 'server.pem', 'server-key.pem']) {
      const authority = await Authority.open(folder, Date.now);
      const before = await authority.server(['localhost']);
      expect(await authority.server(['localhost'])).toEqual(before);
      damage(join(folder, name));
      const after = await (await Authority.open(folder, Date.now)).server(['localhost']);
      expect(after.cert).toContain('-----END CERTIFICATE-----');
      expect(after.cert).not.toBe(before.cert);
    }
  },
);

test('a list of certificates that is damaged while the broker runs: what was known holds on, and it is said once', async () => {
  const running = await Authority.open(folder, Date.now);
  const issuer = await Authority.open(folder, Date.now);
  const [good, bad] = [await issuer.issue('good'), await issuer.issue('bad')];
  issuer.revoke('bad');
  expect([running.isRevoked(good.serial), running.isRevoked(bad.serial)]).toEqual([false, true]);
  const said: unknown[] = [];
  running.onFailed((error) => said.push(error));
  truncateSync(join(folder, 'issued.json'), 10);
  for (let handshake = 0; handshake < 5; handshake += 1) {
    expect([running.isRevoked(good.serial), running.isRevoked(bad.serial)]).toEqual([false, true]);
  }
  expect(said).toEqual([expect.objectContaining({ code: 'file/damaged' })]);
  await expect(issuer.issue('another')).rejects.toMatchObject({ code: 'file/damaged' });
});
