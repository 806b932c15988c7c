import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lockFolder } from './folder-lock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LOCK = new URL('./folder-lock.ts', import.meta.url).href;

/** A process that takes the lock and says whether it got it; it holds it until it is ended. */
function contender(): { said: Promise<string>; end(): Promise<void> } {
  const script = `
    import { lockFolder } from ${JSON.stringify(LOCK)};
    try {
      lockFolder(${JSON.stringify(folder)}, 'running.json', 'platen up').tell({ http: 'http://127.0.0.1:8080/' });
      console.log('got it');
    } catch (error) {
      console.log(error.code + ' ' + error.message);
    }
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    said: new Promise((resolve) =>
      child.stdout.setEncoding('utf8').on('data', (text: string) => resolve(text.trim())),
    ),
    end: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('of several processes that start at once one gets the folder, and the others say where it is running', async () => {
  // What a process that was killed left: the moment in which two could both take it over.
  writeFileSync(
    join(folder, 'running.json'),
    JSON.stringify({ pid: 4_000_000, start: '1', program: 'platen up' }),
  );
  const all = Array.from({ length: 5 }, contender);
  const said = await Promise.all(all.map((one) => one.said));
  expect(said.filter((text) => text === 'got it')).toHaveLength(1);
  for (const text of said)
    if (text !== 'got it') expect(text).toMatch(/^start\/in-use .*in use by platen up \(process \d+\)/);
  const late = contender();
  expect(await late.said).toContain('at http://127.0.0.1:8080/');
  await Promise.all([...all, late].map((one) => one.end()));
  // Killed: the next one takes it over.
  const next = lockFolder(folder, 'running.json', 'platen up');
  next.release();
  expect(readdirSync(folder)).toEqual([]);
});

test.each(['', '\0\0\0\0', '{"pid":', '{}'])('a damaged lock (%j) blocks nobody', (text) => {
  writeFileSync(join(folder, 'running.json'), text);
  lockFolder(folder, 'running.json', 'platen up').release();
});

test('a process id that was reused by another process does not hold the folder', () => {
  writeFileSync(
    join(folder, 'running.json'),
    JSON.stringify({ pid: process.ppid, start: '12', program: 'x' }),
  );
  lockFolder(folder, 'running.json', 'platen up').release();
});
