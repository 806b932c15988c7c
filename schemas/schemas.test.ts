import { readdirSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { generateTypes } from './generate.ts';
import { NESTING_LEVELS_MAX } from './limits.ts';
import { operatorsReference } from './operators-reference.ts';
import { parseObject, parsePayload, schemaFault } from './validate.ts';

test('the committed types are what the schemas say', async () => {
  expect(await generateTypes()).toBe(readFileSync(new URL('./types.ts', import.meta.url), 'utf8'));
});

test('every schema is one', () => {
  const ajv = new Ajv();
  ajv.addKeyword({ keyword: 'x-secret', schemaType: 'boolean' });
  const folders = ['wire', 'documents', 'methods', 'replies'];
  const files = folders.flatMap((folder) => {
    const base = new URL(`./${folder}/`, import.meta.url);
    return readdirSync(base).map((name) => new URL(name, base));
  });
  const wrong = files.filter((file) => ajv.validateSchema(JSON.parse(readFileSync(file, 'utf8'))) !== true);
  expect([files.length > 100, wrong]).toEqual([true, []]);
});

test('the committed reference of the requests is what schemas and roles say', () => {
  const file = new URL('../docs/reference/operators.md', import.meta.url);
  expect(operatorsReference()).toBe(readFileSync(file, 'utf8'));
});

test('the structure of the wire contract is right, and one without a session is not', () => {
  const structure = {
    session: '01JD',
    revision: 7,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }] },
    units: [{ symbol: 'engine', kind: 'engine', model: 'EN-36' }],
  };
  expect(schemaFault('structure', structure)).toBeUndefined();
  expect(schemaFault('structure', { ...structure, session: undefined })).toMatch(/session/);
});

test.each([
  ['not JSON', '{', 'payload/not-json'],
  ['not an object', '[]', 'payload/not-json'],
  ['null', 'null', 'payload/not-json'],
  ['breaks the schema', '{"state":"away","session":"a"}', 'payload/schema'],
])('a payload that is %s is refused with its code', (_, text, code) => {
  expect(() => parsePayload('presence', Buffer.from(text))).toThrow(expect.objectContaining({ code }));
});

test('megabytes of brackets are refused at once: parsing them would hold everything else up for seconds', () => {
  const payload = Buffer.from('['.repeat(8_000_000));
  const before = process.cpuUsage();
  expect(() => parseObject(payload)).toThrow(expect.objectContaining({ code: 'payload/not-json' }));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(300);
});

test('a payload that is nested too deep to be stored is refused, brackets in texts aside', () => {
  const payload = (value: string) =>
    Buffer.from(`{"state":"online","session":"s","at":"2026-11-22T07:00:00Z","more":${value}}`);
  const nested = (levels: number) => `${'[{"a\\\\":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`;
  // The payload is a level itself.
  expect(parsePayload('presence', payload(nested(NESTING_LEVELS_MAX - 2)))).toMatchObject({ session: 's' });
  expect(() => parsePayload('presence', payload(nested(NESTING_LEVELS_MAX)))).toThrow(
    expect.objectContaining({ code: 'payload/not-json' }),
  );
  const text = JSON.stringify('[{"\\'.repeat(NESTING_LEVELS_MAX));
  expect(parsePayload('presence', payload(text))).toMatchObject({ session: 's' });
});

test('bytes that are not UTF-8 are refused', () => {
  expect(() => parsePayload('presence', Buffer.from([0x22, 0xff, 0x22]))).toThrow(
    expect.objectContaining({ code: 'payload/not-json' }),
  );
});

test('a time is right on the days that there are, and on no others', () => {
  const wrong: string[] = [];
  for (const year of [1900, 2000, 2026, 2028]) {
    for (let month = 0; month <= 13; month += 1) {
      for (let day = 0; day <= 32; day += 1) {
        const date = `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
        const at = `${date}T23:59:59.123Z`;
        const time = new Date(Date.UTC(year, month - 1, day));
        const exists = month >= 1 && month <= 12 && day >= 1 && time.getUTCDate() === day;
        const entries = [{ seq: 1, at, code: 'J-7201', severity: 'error' }];
        const batch = { log: 'L', first: 1, reason: 'event', entries };
        if ((schemaFault('errors', batch) === undefined) !== exists) wrong.push(date);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('JSON that ends in NUL is refused in words that say so, and nothing of a payload is quoted', () => {
  const refusal = (text: string): string => {
    try {
      parsePayload('presence', Buffer.from(text));
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error(`${text} was taken`);
  };
  expect(refusal('{"state":"online","session":"s"}\0')).toContain('a NUL follows the JSON');
  for (const text of ['{"password":canary}', '{"password":"canary"x}', '{"a":1,"password":canary,"b":2}']) {
    expect(refusal(text)).not.toContain('ana');
  }
});

test.each(['log', 'request'])('a %s with a character that the database would replace is refused', (name) => {
  const entries = [{ seq: 1, at: '2026-11-22T07:00:00Z', code: 'J-7201', severity: 'error' }];
  const batch = { log: 'L', first: 1, reason: 'event', entries };
  for (const text of ['a\0', '\ud800', 'a\udc00b']) {
    expect(schemaFault('errors', { ...batch, [name]: text })).toContain(name);
  }
  expect(schemaFault('errors', { ...batch, [name]: 'a b/ü#😀' })).toBeUndefined();
});
