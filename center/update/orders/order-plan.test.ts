import type { ReleaseTarget } from '../../../releases/targets.ts';
import type { Remedy, Structure } from '../../../schemas/types.ts';
import { orderSteps } from './order-plan.ts';

const STRUCTURE = {
  apparatus: { model: 'C360', software: [] },
  units: [
    { symbol: 'engine', kind: 'engine', model: 'EN-36', software: [{ id: 'e', version: '1' }] },
    { symbol: 'f.1', kind: 'finisher', model: 'A' },
    { symbol: 'f.2', kind: 'finisher', model: 'B', state: 'spare' },
  ],
} as unknown as Structure;
const find = (software: string, version: string): ReleaseTarget => ({
  target: `${software}/${version}.bin`,
  length: 1,
  sha256: '0'.repeat(64),
  custom: { software, version },
});

function subjects(structure: Remedy['structure']): string[] {
  const steps = [
    ['engine:e', '2'],
    ['engine:e', '3'],
  ];
  const planned = orderSteps(STRUCTURE, { software: [], steps, structure }, find);
  return planned.ok ? planned.steps.map(({ subject, to }) => `${subject} ${to}`) : [planned.reason];
}

test('a switch to a spare stands where the remedy wants it: first, or after so many steps', () => {
  expect(subjects([{ symbol: 'f.1', switchTo: 'f.2' }])).toEqual(['f.1 f.2', 'engine:e 2', 'engine:e 3']);
  expect(subjects([{ symbol: 'f.1', switchTo: 'f.2', afterSteps: 1 }])).toEqual([
    'engine:e 2',
    'f.1 f.2',
    'engine:e 3',
  ]);
  expect(subjects([{ symbol: 'f.1', switchTo: 'f.2', afterSteps: 2 }])).toEqual([
    'engine:e 2',
    'engine:e 3',
    'f.1 f.2',
  ]);
});

test('another model in the place of a unit takes hands: no step stands for it', () => {
  expect(subjects([{ symbol: 'f.1', replace: 'A', with: 'B' }])).toEqual(['engine:e 2', 'engine:e 3']);
});
