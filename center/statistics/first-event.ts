/**
 * Whether printers with something (a release) have an event more often than those without it, using only the first
 * event of each printer. q is the share of printers with it among those without an event so far. Under "at most `ratio` times
 * as often", and if it was assigned at random, the event falls on a printer with it with a probability of at most
 * ratio·q / (1 + q·(ratio − 1)). The products of likelihood ratios against higher ratios are e-processes; see
 * e-process.ts. Pure: campaigns and cohort rules keep the logarithms with their other state.
 */

/** Alternatives tested, as multiples of the tolerated ratio. */
export const FIRST_EVENT_RATIOS: readonly number[] = [1.1, 1.25, 1.5, 2, 3, 5, 10];

/** Logarithms before the first event: no evidence. */
export function newFirstEventLogs(): number[] {
  return FIRST_EVENT_RATIOS.map(() => 0);
}

/**
 * The logarithms after one more first event.
 * @param withIt whether that printer has it
 * @param share share of printers with it among those at risk, from 0 to 1; at 0 and 1 nothing is learnt
 * @param ratio the tolerated ratio
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
