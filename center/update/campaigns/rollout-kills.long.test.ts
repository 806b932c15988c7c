/** Many short random lives of the real services over a real database, each with kills. */
import { CampaignFleet } from '../../../tests/harness/campaign-fleet.ts';
import { type KillRun, killRun } from '../../../tests/harness/rollout-kills.ts';
import { quantile } from '../../../tests/harness/rollout-runs.ts';

let fleet: CampaignFleet;
beforeAll(async () => {
  fleet = await CampaignFleet.open();
});
afterAll(() => fleet.close());

test('in 60 runs with kills nothing goes out that must not, and a release that fails reaches few', async () => {
  const runs: KillRun[] = [];
  for (let seed = 100; seed < 160; seed++) {
    runs.push(
      await killRun(fleet, seed).catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      }),
    );
  }
  const failing = runs.filter(({ fails }) => fails > 0).map(({ got }) => got);
  const kills = runs.reduce((sum, run) => sum + run.kills, 0);
  process.stdout.write(
    `${runs.length} runs over Postgres with ${kills} kills: a failing release reached ${quantile(failing, 0.5)} printers in the median, ${Math.max(...failing)} at most\n`,
  );
  expect(quantile(failing, 0.5)).toBeLessThanOrEqual(15);
  expect(Math.max(...failing)).toBeLessThanOrEqual(30);
}, 1_800_000);
