/**
 * The order of test files: the longest first, so that no worker begins with one when the other has nothing left. Jest
 * knows durations from its cache alone, and a fresh checkout has none. These are seconds on two quiet cores, roughly.
 */
import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

const SECONDS = {
  'tests/rollout.test.ts': 110,
  'tests/faults/locked-out.test.ts': 110,
  'tests/faults/kill.test.ts': 90,
  'tests/faults/start.test.ts': 70,
  'tests/faults/store-chaos.test.ts': 70,
  'tests/faults/campaign-fire.test.ts': 60,
  'tests/story.test.ts': 44,
  'tests/faults/trouble-kill.test.ts': 43,
  'tests/faults/owners.test.ts': 42,
  'tests/guides.test.ts': 39,
  'tests/conformance/fuzz.test.ts': 35,
  'cli/missing-files.test.ts': 30,
  'tests/loops.test.ts': 29,
  'tests/faults/kept-sessions-kill.test.ts': 28,
  'center/update/campaigns/campaigns.test.ts': 25,
  'tests/oracles/compatibility/sat-oracle.test.ts': 24,
  'center/verdicts/compute-share.test.ts': 22,
  'tests/faults/foreign-broker.test.ts': 21,
  'tests/leaving.test.ts': 21,
  'tests/faults/clock.test.ts': 20,
  'tests/claims/claim-18.test.ts': 19,
  'tests/tls.test.ts': 19,
  'tests/restart.test.ts': 18,
  'tests/removing.test.ts': 18,
  'tests/faults/database.test.ts': 17,
  'tests/readings.test.ts': 14,
  'tests/generated-client.test.ts': 14,
  'tests/claims/claim-03.test.ts': 14,
};

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const seconds = ({ path, context }) => SECONDS[relative(context.config.rootDir, path)] ?? 0;
    // The sort is stable: the rest stays as Jest has it, by its cache or by size.
    return super.sort(tests).sort((a, b) => seconds(b) - seconds(a));
  }
}
