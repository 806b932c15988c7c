/**
 * Runs the longest test files first, so that no worker starts a long one when the other has nothing left. Jest knows
 * durations only from its cache, which a fresh checkout lacks. These are rough seconds on two idle cores.
 */
import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

const SECONDS = {
  'tests/rollout.test.ts': 95,
  'tests/faults/store-chaos.test.ts': 59,
  'tests/faults/campaign-fire.test.ts': 57,
  'tests/guides.test.ts': 50,
  'tests/faults/trouble-kill.test.ts': 49,
  'tests/faults/start.test.ts': 47,
  'tests/story.test.ts': 45,
  'tests/faults/locked-out.test.ts': 41,
  'tests/faults/kept-sessions-kill.test.ts': 31,
  'tests/faults/owners.test.ts': 29,
  'cli/commands/broker.test.ts': 28,
  'tests/faults/foreign-broker.test.ts': 28,
  'center/update/campaigns/campaigns.test.ts': 25,
  'tests/real-printers.test.ts': 25,
  'tests/campaign-codes.test.ts': 24,
  'tests/faults/clock.test.ts': 24,
  'tests/bad-input.test.ts': 21,
  'tests/faults/kill.test.ts': 20,
  'tests/removing.test.ts': 20,
  'agent/process/following-reader.test.ts': 19,
  'center/database/database.test.ts': 19,
  'cli/missing-files.test.ts': 17,
  'tests/http.test.ts': 17,
  'tests/restart.test.ts': 17,
  'tests/claims/claim-18.test.ts': 16,
  'tests/faults/database.test.ts': 16,
  'tests/leaving.test.ts': 15,
  'agent/drivers/sleep.test.ts': 14,
  'center/verdicts/questions.test.ts': 14,
  'tests/tls.test.ts': 14,
  'tests/faults/foreign-poison.test.ts': 13,
  'tests/loops.test.ts': 13,
  'tests/real-orders.test.ts': 13,
  'tests/secrets.test.ts': 13,
  'center/http/connections.test.ts': 12,
  'center/update/campaigns/rollout-kills.test.ts': 12,
  'tests/claims/claim-02.test.ts': 12,
  'tests/claims/claim-03.test.ts': 12,
  'tests/claims/claim-10.test.ts': 12,
  'tests/conformance/fuzz.test.ts': 12,
  'tests/oracles/compatibility/sat-oracle.test.ts': 12,
  'center/update/campaigns/campaign-cases.test.ts': 11,
  'tests/claims/claim-12.test.ts': 11,
  'agent/drivers/command/command-driver.test.ts': 10,
  'tests/claims/claim-01.test.ts': 10,
  'tests/claims/claim-16.test.ts': 10,
  'tests/claims/claim-21.test.ts': 10,
  'tests/closed-requests.test.ts': 10,
  'tests/mosquitto-only.test.ts': 10,
  'tests/operators.test.ts': 10,
  'tests/readings.test.ts': 10,
};

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const seconds = ({ path, context }) => SECONDS[relative(context.config.rootDir, path)] ?? 0;
    // The sort is stable: the rest keeps Jest's order, by its cache or by size.
    return super.sort(tests).sort((a, b) => seconds(b) - seconds(a));
  }
}
