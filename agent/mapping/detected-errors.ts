/**
 * hrPrinterDetectedErrorState (RFC 2790): the bits that a printer sets, and which alerts say the same.
 */

/** `detail.from` of a condition known only from an error bit. */
export const FROM_BITS = 'hrPrinterDetectedErrorState';

/** hrPrinterDetectedErrorState (RFC 2790), bit 0 first, as IPP keywords. */
export const DETECTED_ERRORS: [string, string][] = [
  ['media-low', 'warning'],
  ['media-empty', 'error'],
  ['toner-low', 'warning'],
  ['toner-empty', 'error'],
  ['cover-open', 'error'],
  ['media-jam', 'error'],
  ['offline', 'warning'],
  ['service-requested', 'error'],
  ['input-tray-missing', 'error'],
  ['output-tray-missing', 'error'],
  ['marker-supply-missing', 'error'],
  ['output-area-almost-full', 'warning'],
  ['output-area-full', 'error'],
  ['input-tray-empty', 'warning'],
  ['overdue-preventive-maintenance', 'warning'],
];

/** Keywords of alerts with the same meaning as an error bit, so that an empty tray is not reported twice. */
const SAME_AS_BIT = new Map<string, RegExp>(
  Object.entries({
    'media-low': /^media-low$|^input-.*low/,
    'media-empty': /^media-(empty|needed)$|^input-.*empty/,
    'input-tray-empty': /^media-(empty|needed)$|^input-.*empty/,
    'toner-low': /(low|almost-empty|near-limit|life-almost-over)$/,
    'toner-empty': /(empty|life-over|at-limit)$/,
    'cover-open': /(cover|door|interlock)-open$|-opened$/,
    'media-jam': /jam$/,
    'service-requested': /(failure|error|temp|temperature|life-over)$|^alert-|^other$/,
    'input-tray-missing': /(tray|input).*missing$/,
    'output-tray-missing': /(tray|output).*missing$/,
    'marker-supply-missing': /missing$/,
    'output-area-almost-full': /almost-full$/,
    'output-area-full': /full$/,
  }),
);

/** Whether an alert with this keyword means the same as the error bit. */
export function saysTheSame(bit: string, keyword: string): boolean {
  return bit === keyword || (SAME_AS_BIT.get(bit)?.test(keyword) ?? false);
}
