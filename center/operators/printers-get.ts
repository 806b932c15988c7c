import { PlatenError } from '../../schemas/errors.ts';
import { defineMethod } from './method.ts';

/** Everything that is known of one printer. */
export const printersGet = defineMethod('printers.get', 'reads', async ({ printer }, _caller, { fleet }) => {
  const details = await fleet.get(printer);
  if (!details) throw new PlatenError('request/not-found', { kind: 'printer', id: printer });
  return { data: { ...details } };
});
