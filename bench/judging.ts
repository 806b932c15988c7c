/** `npm run bench -- judging`: what rules cost, with the store in the loop (see the ingest benchmark). */

import { run as ingest } from './ingest.ts';
import type { BenchResult } from './result.ts';

/** The load of the ingest benchmark, once without rules and once with the sample rules. */
export function run(args: string[]): Promise<BenchResult> {
  return ingest(['--rules', ...args]);
}
