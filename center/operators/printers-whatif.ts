import { PlatenError } from '../../schemas/errors.ts';
import { parseSubject } from '../../schemas/subject.ts';
import { checkPrinters, namedRelease } from './known-names.ts';
import { defineMethod } from './method.ts';

/** Judges a printer as if it had other units or versions. Changes nothing. */
export const printersWhatif = defineMethod(
  'printers.whatif',
  'reads',
  async ({ printer, units, software }, _caller, capabilities) => {
    if (units === undefined && software === undefined) {
      throw new PlatenError('request/invalid', {
        reason: '/ needs "units" or "software": what is exchanged',
      });
    }
    await checkPrinters([printer], capabilities);
    for (const { subject, version } of software ?? []) {
      namedRelease(`${parseSubject(subject).software}@${version}`, capabilities);
    }
    return { data: { ...(await capabilities.whatIf.ask(printer, { units, software })) } };
  },
  { heavy: true },
);
