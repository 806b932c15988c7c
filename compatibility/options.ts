/**
 * Checks options that come from outside.
 */
import { PlatenError } from '../schemas/errors.ts';
import { unknownMember } from '../schemas/nearest-name.ts';
import type { ChooseOptions } from './types.ts';

const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isWishes = (value: unknown): boolean => isObject(value) && Object.values(value).every(isText);

const CHECKS: Record<keyof ChooseOptions, [test: (value: unknown) => boolean, what: string]> = {
  pins: [isWishes, 'an object of subjects and ranges'],
  require: [isWishes, 'an object of subjects and ranges'],
  allowUnitReplacement: [isFlag, 'true or false'],
  allowDowngrade: [isFlag, 'true or false'],
  objective: [(value) => value === 'upgrade' || value === 'fewest-changes', '"upgrade" or "fewest-changes"'],
  staged: [(value) => Array.isArray(value) && value.every(isText), 'a list of software ids or id@version'],
};

/** The value as options; a member that isn't known is refused. @throws PlatenError payload/schema */
export function checkOptions(value: unknown): ChooseOptions {
  const wrong = (reason: string): PlatenError =>
    new PlatenError('payload/schema', { reason, schema: 'structure' });
  if (!isObject(value)) throw wrong('/options must be an object');
  const known = Object.keys(CHECKS);
  const stray = Object.keys(value).find((name) => !known.includes(name));
  if (stray !== undefined) throw wrong(unknownMember(stray, '/options', known));
  for (const [name, [test, what]] of Object.entries(CHECKS)) {
    if (value[name] !== undefined && !test(value[name])) throw wrong(`/options/${name} must be ${what}`);
  }
  return value as ChooseOptions;
}
