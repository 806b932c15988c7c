/** What the end of an order shows about its release. Pure. */
import type { OrderState } from '../orders/order-state.ts';

/**
 * Codes about the printer, the network or the order, not the release. An attempt that ends with one of them is no evidence,
 * whether it failed before the printer was touched or rolled back.
 */
const UNRELATED_CODES: ReadonlySet<string> = new Set([
  'update/unreachable',
  'update/no-space',
  'update/busy',
  'update/timeout',
  'update/repository-busy',
  'update/interrupted',
  'update/wrong-printer',
  'update/replayed',
  'update/structure-changed',
  'update/unknown-subject',
  'update/expired',
  'update/deadline',
]);

/**
 * The outcome of an execution; undefined: inconclusive (cancelled, rejected, not reached, no space).
 * @param suspectedBrick it fell silent after it had started to install
 */
export function outcomeOf(
  state: OrderState,
  errorCode: string | undefined,
  suspectedBrick = false,
): 'good' | 'bad' | undefined {
  switch (state) {
    case 'proven':
      return 'good';
    case 'silent':
      return suspectedBrick ? 'bad' : undefined;
    case 'partial':
      return 'bad';
    case 'rolled-back':
    case 'failed':
      return errorCode !== undefined && UNRELATED_CODES.has(errorCode) ? undefined : 'bad';
    default:
      return undefined;
  }
}
