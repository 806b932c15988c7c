import { expect, test } from '@jest/globals';
import { secretText } from './secret-option.ts';

test('a secret comes from the environment when it is asked for by name, and a missing one is said', () => {
  expect(secretText('env:P', { P: 'from outside' })).toBe('from outside');
  expect(secretText('as it is', {})).toBe('as it is');
  expect(() => secretText('env:P', {})).toThrow('The variable P is not set.');
});
