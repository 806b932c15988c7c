import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import type { FleetEvent } from '../schemas/types.ts';
import { readable } from './log.ts';
import { Story } from './story.ts';

function lines(): { log: pino.Logger; written(): string[] } {
  const out = new PassThrough();
  const log = pino({ level: 'warn' }, readable(out));
  return {
    log,
    written: () =>
      (String(out.read() ?? '').match(/[^\n]+/g) ?? []).map((line) => line.replace(/^[\d:]{8} {2}/, '')),
  };
}

test('a readable line keeps the details of what is logged: who, from where, why', () => {
  const { log, written } = lines();
  log.warn({ printer: 'printer-7', reason: 'connect ECONNREFUSED', retryMs: 500 }, 'not connected');
  log.warn({ reason: 'credentials', claimed: 'lena', address: '10.0.0.7', topic: undefined }, 'refused');
  log.error({ err: new Error('no space'), hint: 'Make room.' }, 'a write failed');
  expect(written()).toEqual([
    'warning  not connected  (printer printer-7, reason connect ECONNREFUSED, retryMs 500)',
    'warning  refused  (reason credentials, claimed lena, address 10.0.0.7)',
    'error  a write failed  (no space)  Make room.',
  ]);
});

test('text from outside stays one line that moves no cursor', () => {
  const { log, written } = lines();
  log.warn({ claimed: '\u001b[2J\n12:00:00  ready \u202e' }, 'refused');
  expect(written()).toEqual(['warning  refused  (claimed \\u{1b}[2J\\u{a}12:00:00  ready \\u{202e})']);
});

test('a refusal at the terminal shows who was refused, from where, and why', () => {
  const out = new PassThrough();
  const story = new Story(out);
  const event = (what: string, data: object, printer?: string) =>
    ({ kind: 'security', what, ...(printer ? { printer } : {}), data }) as unknown as FleetEvent;
  story.hear(event('credentials', { claimed: 'le\u001bna', clientId: 'x', address: '10.0.0.7', untold: 4 }));
  story.hear(event('publish-not-authorized', { address: '10.0.0.8', topic: 'a/b' }, 'printer-7'));
  const said = String(out.read())
    .split('\n')
    .map((line) => line.slice(10));
  expect(said).toEqual([
    'security  credentials (as "le\\u{1b}na", from 10.0.0.7, 4 more were not shown)',
    'security  publish-not-authorized (printer-7, from 10.0.0.8, for a/b)',
    '',
  ]);
});
