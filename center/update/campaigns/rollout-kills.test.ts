/** A few short random lives of the services with kills; `rollout-kills.long.test.ts` has many. */
import { CampaignFleet } from '../../../tests/harness/campaign-fleet.ts';
import { killRun } from '../../../tests/harness/rollout-kills.ts';

let fleet: CampaignFleet;
beforeAll(async () => {
  fleet = await CampaignFleet.open();
});
afterAll(() => fleet.close());

test.each([4, 5, 6, 7])('whatever asks, and however often the center is killed: seed %i', async (seed) => {
  const { got, fails, kills } = await killRun(fleet, seed);
  expect(kills).toBeGreaterThanOrEqual(2);
  if (fails > 0) expect(got).toBeLessThanOrEqual(25);
});
