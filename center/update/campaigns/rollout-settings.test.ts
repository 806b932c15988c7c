import type { Structure } from '../../../schemas/types.ts';
import type { Cause } from '../cause.ts';
import {
  confirmLimit,
  correctionMode,
  DEFAULT_ROLLOUT,
  mayRestart,
  mergeRollout,
  ruleMode,
} from './rollout-settings.ts';

const structure = {
  apparatus: { model: 'C360' },
  units: [],
  site: 'berlin',
  labels: { ring: 'late' },
} as unknown as Structure;

test('corrections begin by themselves, unless the fleet, a filter or a rule says otherwise; the first exception counts', () => {
  const mode = (change: object, rules = ['r1']) =>
    correctionMode(mergeRollout(DEFAULT_ROLLOUT, change), 'berlin-7', structure, rules);
  expect(mode({})).toBe('automatic');
  expect(mode({ corrections: 'off' })).toBe('off');
  expect(mode({ exceptions: [{ mode: 'propose', site: 'berlin', label: { ring: 'late' } }] })).toBe(
    'propose',
  );
  expect(mode({ exceptions: [{ mode: 'propose', site: 'berlin', label: { ring: 'early' } }] })).toBe(
    'automatic',
  );
  expect(
    mode({
      exceptions: [
        { mode: 'off', rule: 'r2' },
        { mode: 'propose', idPrefix: 'berlin' },
      ],
    }),
  ).toBe('propose');
  expect(
    mode({
      exceptions: [
        { mode: 'off', rule: 'r1' },
        { mode: 'propose', model: 'C360' },
      ],
    }),
  ).toBe('off');
});

test('a rule that does not say auto only proposes, whatever the settings say', () => {
  expect(ruleMode(DEFAULT_ROLLOUT, 'jams', true)).toBe('automatic');
  expect(ruleMode(DEFAULT_ROLLOUT, 'jams', false)).toBe('propose');
  const eager = mergeRollout(DEFAULT_ROLLOUT, { exceptions: [{ mode: 'automatic', rule: 'jams' }] });
  expect(ruleMode(eager, 'jams', false)).toBe('propose');
  const off = mergeRollout(DEFAULT_ROLLOUT, { exceptions: [{ mode: 'off', rule: 'jams' }] });
  expect([ruleMode(off, 'jams', true), ruleMode(off, 'other', true)]).toEqual(['off', 'automatic']);
});

test('a catalog may mend the larger of 50 printers and 1 % without asking', () => {
  expect([10, 5_000, 20_000].map((printers) => confirmLimit(DEFAULT_ROLLOUT, printers))).toEqual([
    50, 50, 200,
  ]);
  expect(confirmLimit(mergeRollout(DEFAULT_ROLLOUT, { confirmAbove: { printers: 0, share: 0 } }), 1000)).toBe(
    0,
  );
});

test('a lifted stop restarts only what its rule would start now too', () => {
  const cause = { kind: 'rule', rule: 'jams', question: 'q1', trouble: 't' } as const;
  const rule = { question: 'q1', auto: true };
  expect(mayRestart(DEFAULT_ROLLOUT, cause, rule)).toBe(true);
  // It was removed, or means something else now.
  expect(mayRestart(DEFAULT_ROLLOUT, cause, undefined)).toBe(false);
  expect(mayRestart(DEFAULT_ROLLOUT, cause, { ...rule, question: 'q2' })).toBe(false);
  const off = { ...DEFAULT_ROLLOUT, exceptions: [{ mode: 'off', rule: 'jams' } as const] };
  expect(mayRestart(off, cause, rule)).toBe(false);
  const verdict = { kind: 'verdict', catalog: 'c', wrong: [], mends: [] } satisfies Cause;
  expect(mayRestart(DEFAULT_ROLLOUT, verdict, undefined)).toBe(true);
  expect(mayRestart({ ...DEFAULT_ROLLOUT, corrections: 'off' }, verdict, undefined)).toBe(false);
});
