import { PlatenError } from '../../schemas/errors.ts';
import { parseSubject } from '../../schemas/subject.ts';
import { checkPrinters, namedRelease } from './known-names.ts';
import { defineMethod } from './method.ts';

/** What would be if a printer had other units or versions. Nothing is changed. */
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
