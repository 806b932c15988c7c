import { basename, dirname } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from '@jest/globals';
import { MissingPrograms, needPrograms } from './programs.ts';

test('a program that is not there is told with the command that installs it', () => {
  const missing = () => needPrograms(['nginx', 'redis-server'], ['/nonexistent']);
  expect(missing).toThrow(MissingPrograms);
  expect(missing).toThrow(
    "nginx and redis-server, not found here. Type this, then the command again:\n  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends nginx redis-server'",
  );
});

test('a program is found where it is', () => {
  const node = basename(execPath);
  expect(needPrograms([node], ['/nonexistent', dirname(execPath)])).toEqual({ [node]: execPath });
});
