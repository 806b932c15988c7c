import { expect, test } from '@jest/globals';
import type { Structure, Verdict } from '../../schemas/types.ts';
import { type KnownPrinter, PrinterStates, type StructureResult } from './printer-states.ts';
import { structureSignature } from './structure-changes.ts';

function structure(session: string, revision: number, model = 'EN-36'): Structure {
  return {
    session,
    revision,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: { model: 'C360' },
    units: [{ symbol: 'engine', kind: 'engine', model }],
  };
}

function verdict(session: string, revision: number): Verdict {
  return { structure: { session, revision }, catalog: 'c', at: '', status: 'compatible', findings: [] };
}

/** States of the printer `p`, with short forms of its messages. */
function statesOf(known?: KnownPrinter) {
  const states = new PrinterStates(new Map(known ? [['p', known]] : []));
  return {
    states,
    show: (document: Structure, judged?: Verdict) =>
      states.take({
        printer: 'p',
        kind: 'structure',
        document,
        json: Buffer.from(JSON.stringify(document)),
        signature: structureSignature(document),
        ...(judged ? { verdict: judged } : {}),
      }) as StructureResult,
  };
}

test('a printer that connects, sends its structure and is judged makes one change', () => {
  const { states, show } = statesOf({ presence: { online: false, session: null, device: null } });
  expect(states.take({ printer: 'p', kind: 'connection', connected: true })).toEqual({
    changed: true,
    flipped: true,
  });
  expect(show(structure('s', 1), verdict('s', 1))).toEqual({ outcome: 'new', changes: [], judged: {} });
  expect(states.changes).toMatchObject([
    {
      printer: 'p',
      fresh: false,
      known: false,
      seen: true,
      presence: { online: true, session: null },
      structure: { previousSession: null },
      history: [{ changes: [], current: true }],
      verdict: verdict('s', 1),
    },
  ]);
});

test('a verdict is too late when another structure came in the same group', () => {
  const { states, show } = statesOf();
  show(structure('s', 1));
  expect(states.take({ printer: 'p', kind: 'verdict', verdict: verdict('s', 1) })).toEqual({ stored: true });
  show(structure('s', 2));
  expect(states.take({ printer: 'p', kind: 'verdict', verdict: verdict('s', 1) })).toEqual({
    stored: false,
    previous: verdict('s', 1),
  });
});

test('of several structures the last is current, and earlier ones keep their documents in the history', () => {
  const { states, show } = statesOf();
  show(structure('s', 1, 'EN-36'));
  expect(show(structure('s', 2, 'EN-40')).changes).toHaveLength(1);
  expect(show(structure('s', 3, 'EN-40')).outcome).toBe('same');
  const [change] = states.changes;
  expect(change?.structure?.document.revision).toBe(3);
  expect(change?.history.map((entry) => [entry.structure.document.revision, entry.current])).toEqual([
    [1, false],
    [2, true],
  ]);
});

test('an unchanged revision has its verdict stored with it, a repeated message has not', () => {
  const { show } = statesOf();
  show(structure('s', 1), verdict('s', 1));
  expect(show(structure('s', 2), verdict('s', 2)).judged).toEqual({ previous: verdict('s', 1) });
  expect(show(structure('s', 2), verdict('s', 2)).judged).toBeUndefined();
  expect(show(structure('s', 1), verdict('s', 1))).toMatchObject({ outcome: 'stale' });
});
