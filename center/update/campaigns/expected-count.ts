/** Checks a campaign's number of printers against the request. Pure. */
import { PlatenError } from '../../../schemas/errors.ts';
import type { CampaignRequest } from './targets.ts';

/**
 * Compares the number of targets with `expect` and with the canaries.
 * @throws PlatenError request/conflict when the number differs from the expected one, request/invalid for more canaries
 *   than printers
 */
export function checkCount(request: Pick<CampaignRequest, 'expect' | 'options'>, targets: number): void {
  const { expect, options } = request;
  if (expect) {
    const { targets: expected, tolerance = 0 } = expect;
    if (Math.abs(targets - expected) > expected * tolerance) {
      const share = tolerance > 0 ? ` (within ${tolerance * 100} %)` : '';
      throw new PlatenError('request/conflict', {
        reason: `${targets} printers would take part, ${expected} were expected${share}`,
      });
    }
  }
  const { canaries } = options ?? {};
  if (canaries !== undefined && canaries > targets) {
    throw new PlatenError('request/invalid', {
      reason: `/options/canaries ${canaries} canaries are more than the ${targets} printers that would take part`,
    });
  }
}
