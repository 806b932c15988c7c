import type { Structure } from '../../schemas/types.ts';
import { eventually } from '../harness/ear.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 10: the structure is sent periodically, as the policy says.
const setting = useProduct();

test('the policy sets the period, and changes it at once', async () => {
  const { hear, heard, goesBy } = await setting.machine('claim-10');
  await hear<Structure>('structure', ({ reason }) => reason === 'connect');
  // Timed from before the request: the printer may apply the policy before the operator has the reply.
  const start = Date.now();
  await setting.operator.call('policy.set', {
    printer: 'claim-10',
    policy: { structure: { every: 'PT1S' } },
  });
  const revisions: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const { revision } = await hear<Structure>('structure', ({ reason }) => reason === 'periodic');
    revisions.push(revision);
  }
  const took = Date.now() - start;
  expect(revisions[1]! - revisions[0]!).toBe(1);
  expect(revisions[2]! - revisions[1]!).toBe(1);
  expect(took).toBeGreaterThan(2_000);
  expect(took).toBeLessThan(60_000);

  // Back to a long period: once the printer applies it, no further structure comes.
  await setting.operator.call('policy.set', {
    printer: 'claim-10',
    policy: { structure: { every: 'PT6H' } },
  });
  await goesBy(({ structure }) => structure.everyMs > 1_000);
  // A structure sent just before may still be in flight.
  await eventually(async () => {
    const before = heard('structure').length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    return heard('structure').length === before;
  }, 'no further one comes');
});

test('a policy is a state: a printer that connects later keeps to it', async () => {
  await setting.operator.call('policy.set', { default: true, policy: { structure: { every: 'PT1S' } } });
  const { hear } = await setting.machine('late-10');
  await hear<Structure>('structure', ({ reason }) => reason === 'periodic');
});
