import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ERRORS, type ErrorCode, httpStatusOf } from './errors.ts';
import { openapiText } from './openapi.ts';
import { METHOD_ROLES } from './roles.ts';
import { checkReply, replySchema } from './validate.ts';

const file = fileURLToPath(new URL('./openapi.json', import.meta.url));
const methods = Object.keys(METHOD_ROLES) as (keyof typeof METHOD_ROLES)[];

test('the committed OpenAPI document is what schemas, roles and errors say', () => {
  expect(openapiText()).toBe(readFileSync(file, 'utf8'));
});

test('it describes every method', () => {
  const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, unknown> };
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(methods.map((method) => `/api/v1/${method}`)));
});

test('the linter of Redocly finds nothing in it', async () => {
  const cli = fileURLToPath(new URL('../node_modules/@redocly/cli/bin/cli.js', import.meta.url));
  const args = ['lint', file, '--extends', 'recommended', '--format', 'json'];
  // Turns off its telemetry and update check.
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env });
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { totals: object; problems: unknown[] };
  expect(report.problems).toEqual([]);
  expect(report.totals).toMatchObject({ errors: 0, warnings: 0 });
});

test('every method has a schema of its reply, and there is none without a method', () => {
  const files = readdirSync(new URL('./replies/', import.meta.url)).map((name) => name.replace('.json', ''));
  expect(files.sort()).toEqual([...methods].sort());
  for (const method of methods)
    expect(replySchema(method)).toMatchObject({ description: expect.any(String) });
});

test('a reply with a member that its schema does not know, or without one that it needs, is a fault', () => {
  expect(() => checkReply('users.remove', { name: 'lena' })).not.toThrow();
  expect(() => checkReply('users.remove', { name: 'lena', nmae: 'x' })).toThrow('users.remove');
  expect(() => checkReply('users.remove', {})).toThrow('name');
});

test('whatever a request can be refused with has an HTTP status', () => {
  const parts = ['request', 'session', 'token', 'http', 'events', 'catalog', 'rules'];
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) =>
    parts.includes(code.split('/')[0] ?? ''),
  );
  const failed = codes.filter((code) => httpStatusOf(code) === 500);
  // An internal error.
  expect(failed).toEqual(['request/internal']);
});
