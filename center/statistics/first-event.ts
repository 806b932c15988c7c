/**
 * Whether printers with something (a release) have an event more often than those still without it, by the first event
 * of each printer alone. At each, q is the share of printers with it among those that had no event yet. Under "not more
 * often than `ratio` times", when it was given out by a random draw, the event falls to a printer with it with a chance
 * of at most ratio·q / (1 + q·(ratio − 1)). The products of likelihood ratios against higher ratios are e-processes;
 * see e-process.ts. Pure: campaigns and cohort rules keep the logarithms where they keep the rest.
 */

/** How many times more often, relative to the tolerated ratio, is looked for. */
export const FIRST_EVENT_RATIOS: readonly number[] = [1.1, 1.25, 1.5, 2, 3, 5, 10];

/** Logarithms before the first event: no evidence. */
export function newFirstEventLogs(): number[] {
  return FIRST_EVENT_RATIOS.map(() => 0);
}

/**
 * The logarithms after one more first event.
 * @param withIt whether the printer of the event has it
 * @param share share of printers with it among those at risk, from 0 to 1; at 0 and at 1 nothing is learnt
 * @param ratio how many times as often is tolerated
 */
export function afterFirstEvent(
  logs: readonly number[],
  withIt: boolean,
  share: number,
  ratio = 1,
): number[] {
  const tolerated = Math.log(1 + share * (ratio - 1));
  return logs.map((log, index) => {
    const theta = FIRST_EVENT_RATIOS[index] ?? 1;
    return log + (withIt ? Math.log(theta) : 0) - Math.log(1 + share * (ratio * theta - 1)) + tolerated;
  });
}
