/** What a user sees after `npm start`: the real process of the script, on free ports and in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from './harness/ear.ts';
import { temporaryFolder } from './harness/folder.ts';
import { WITH_TYPES } from './harness/run/with-types.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const STORY_MS_MAX = 90_000;
const folder = temporaryFolder('platen-story-');

interface Run {
  lines: string[];
  process: ChildProcess;
  exited: Promise<number | null>;
}
let run: Run | undefined;

afterAll(async () => {
  run?.process.kill('SIGKILL');
  await run?.exited;
  rmSync(folder, { recursive: true, force: true });
});

/** Starts what `npm start` starts, without the installation of packages. */
function npmStart(): Run {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: { start: string };
  };
  // Node's own options, the bootstrap (which only installs packages before it runs the rest), then the command.
  const words = scripts.start.split(' ');
  const bootstrap = words.indexOf('deploy/bootstrap.mjs');
  // With `exec` no shell between npm and the program holds back signals.
  expect([words[0], words[1], words[bootstrap + 1]]).toEqual(['exec', 'node', 'run']);
  const args = [...words.slice(2, bootstrap), ...WITH_TYPES, ...words.slice(bootstrap + 2)];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      PLATEN_MQTT_PORT: '0',
      PLATEN_HTTP_PORT: '0',
      PLATEN_DATA: join(folder, 'data'),
      PLATEN_LOG: 'story',
    },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return { lines, process: child, exited };
}

/** Waits for a line. @returns its index in the story */
async function sees(story: Run, line: RegExp): Promise<number> {
  try {
    return await eventually(
      () => {
        const found = story.lines.findIndex((text) => line.test(text));
        return found >= 0 && found + 1;
      },
      String(line),
      STORY_MS_MAX,
    );
  } catch (error) {
    throw new Error(`the story never told ${line}:\n${story.lines.join('\n')}`, { cause: error });
  }
}

test('printers connect, are judged, are in trouble, are updated and proven well again', async () => {
  run = npmStart();
  const story = run;
  const ready = await sees(story, /ready {2}mqtt:\/\/127\.0\.0\.1:\d+ {2}http:\/\/127\.0\.0\.1:\d+\//);
  const connected = await sees(story, /printers connected: /);
  expect(connected).toBeGreaterThan(ready);
  await sees(story, /printers fit together: /);

  // One has engine software that its controller does not support: an order fixes it automatically.
  const unfit = await sees(story, /C360-301 {2}does not fit: .*requires acme\.engine/);
  expect(story.lines[unfit]).toMatch(/fits: engine:acme\.engine 2\.3\.0 → 2\.5\.0/);
  const offered = await sees(story, /C360-301 {2}update offered/);
  const proven = await sees(story, /C360-301 {2}update proven/);
  expect(proven).toBeGreaterThan(offered);

  // One has a finisher that its model does not support: the verdict names the fitting one, which a person must install.
  const finisher = await sees(story, /C360-401 {2}does not fit: .*FS-999/);
  expect(story.lines[finisher]).toMatch(/replace FS-999 with FS-539/);

  // Four jam on one engine release: the rule detects it, and a campaign brings the next release to all of them.
  const trouble = await sees(story, /C360-20\d {2}trouble opened: Finisher entrance jams too often/);
  const campaign = await sees(story, /campaign .* created/);
  expect(campaign).toBeGreaterThan(trouble);
  for (const printer of ['C360-201', 'C360-202', 'C360-203', 'C360-204']) {
    expect(await sees(story, new RegExp(`${printer} {2}update proven`))).toBeGreaterThan(campaign);
  }
  await sees(story, /campaign .* finished/);

  // Pages by site and supplies with days left come from the month before the first start.
  const pages = story.lines[(await sees(story, /pages in \d{4}-\d{2}: /)) - 1] ?? '';
  for (const site of ['berlin-3', 'osaka-2', 'paris-1'])
    expect(pages).toMatch(new RegExp(`${site} \\d+,\\d{3}`));
  const ends = story.lines[(await sees(story, /supplies that end first: /)) - 1];
  expect(ends?.match(/ in [\d.]+ days/g)).toHaveLength(3);
  // One runs out within a day: a trouble until somebody replaces it.
  const ending = await sees(story, /M210-201 {2}trouble opened: Toner ends within a day \(supply\.black\)/);
  expect(await sees(story, /M210-201 {2}trouble cleared: Toner ends within a day/)).toBeGreaterThan(ending);
  await sees(story, /C360-20\d {2}trouble cured/);

  // A few readable lines, not a flood.
  expect(story.lines.length).toBeLessThan(120);
  expect(story.lines.filter((line) => line.startsWith('{'))).toEqual([]);
  expect(story.lines.filter((line) => /update (failed|rejected|rolled-back|silent)/.test(line))).toEqual([]);
});

test('Ctrl-C ends it cleanly', async () => {
  run!.process.kill('SIGINT');
  expect(await run!.exited).toBe(0);
  expect(run!.lines.at(-1)).toMatch(/stopped$/);
});

test('a second start goes on where the printers were', async () => {
  run = npmStart();
  await sees(run, /ready {2}mqtt:/);
  const all = await eventually(
    () => {
      const counts = run!.lines.flatMap((line) => line.match(/(\d+) printers? connected/)?.[1] ?? []);
      return counts.reduce((sum, count) => sum + Number(count), 0) >= 25;
    },
    'all 25 are connected again',
    STORY_MS_MAX,
  );
  expect(all).toBe(true);
  // The fixes last: no printer gets an order or has a trouble.
  expect(run.lines.filter((line) => /update offered|trouble opened/.test(line))).toEqual([]);
  run.process.kill('SIGTERM');
  expect(await run.exited).toBe(0);
});
