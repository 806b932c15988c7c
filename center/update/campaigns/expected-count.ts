/** Whether a campaign's number of printers is what was thought when it was asked for. Pure. */
import { PlatenError } from '../../../schemas/errors.ts';
import type { CampaignRequest } from './targets.ts';

/**
 * Compares how many printers would take part with what the request expects and with its canaries.
 * @throws PlatenError request/conflict when the number is another than expected, request/invalid for more canaries than
 *   printers
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
