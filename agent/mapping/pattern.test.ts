import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { IppAnswer } from './ipp-answer.ts';
import { ippReading } from './ipp-reading.ts';
import { Pattern, SEARCH_CHARS_MAX, withinSteps } from './pattern.ts';
import { OID, SnmpAnswer } from './snmp-answer.ts';
import { snmpReading } from './snmp-reading.ts';
import { splitNameAndVersion, versionsInDescription } from './software-names.ts';
import { MappingTables } from './tables.ts';

/** Every pattern of every built-in table, as it is compiled. */
const builtIn = readdirSync(new URL('./tables/', import.meta.url)).flatMap((file) => {
  const table = JSON.parse(readFileSync(new URL(`./tables/${file}`, import.meta.url), 'utf8')) as Record<
    string,
    unknown
  >;
  return Object.entries(table).flatMap(([section, rules]) =>
    !Array.isArray(rules)
      ? []
      : (rules as Record<string, unknown>[]).flatMap((rule) =>
          ['pattern', 'description', 'name', 'model', 'keyword'].flatMap((key) => {
            const source = rule[key];
            // Other fields of a rule, such as `model`, `name` and `keyword`, are outputs, not patterns.
            const looks =
              key === 'pattern' ||
              key === 'description' ||
              (section === 'software' && key === 'name') ||
              (section === 'units' && key === 'model') ||
              (section === 'vendorCodes' && key === 'keyword');
            return looks && typeof source === 'string'
              ? [{ source, whole: section === 'keywords', file, section }]
              : [];
          }),
        ),
  );
});

const UNIT_TEXTS = [
  'a',
  '-',
  ' ',
  '9',
  'x-',
  '.-',
  '-low',
  'aa-',
  '1.',
  'F9',
  '_1',
  ' 1',
  'E0',
  '\u00e4',
  '/ ',
];

/** Backtracking takes seconds to hours; bounded matching takes about 50 ms, more under load. */
const BOUND_MS = 1_000;

/** CPU time in ms, so that other processes don't count. */
function spent(work: () => unknown): number {
  const started = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1_000;
}

test('finds what RegExp finds, with the same groups', () => {
  const words = ['a', 'b', 'ab', '-', '1', ' ', 'A', 'x.y', 'é', '\u{1f5a8}', '\n'];
  const texts = fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join(''));
  const atoms = [
    'a',
    'b',
    '[a-b1]',
    '[^a]',
    '.',
    '\\d',
    '\\w',
    '\\s',
    '(?:a|ab)',
    '(a|b)',
    '(b)',
    '\\b',
    '^',
    '$',
    '(?=a)',
    '(?!b)',
  ];
  const pieces = fc
    .tuple(
      fc.constantFrom(...atoms),
      fc.constantFrom('', '', '*', '+', '?', '*?', '+?', '{2}', '{1,2}', '{2,}?'),
    )
    // A quantifier on an assertion is no pattern under the flag u.
    .map(([atom, quantifier]) => (/^(\\b|\^|\$|\(\?[=!])/.test(atom) ? atom : `${atom}${quantifier}`));
  const sources = fc
    .array(fc.array(pieces, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 })
    .map((sides) => sides.map((side) => side.join('')).join('|'));
  fc.assert(
    fc.property(sources, texts, fc.boolean(), (source, text, anyCase) => {
      const theirs = new RegExp(source, anyCase ? 'iu' : 'u').exec(text);
      const ours = new Pattern(source, { anyCase }).exec(text);
      expect(ours).toEqual(theirs === null ? undefined : [...theirs]);
    }),
    { seed: 20261201, numRuns: 3_000 },
  );
});

test.each(builtIn.map((each) => [`${each.file} ${each.section} ${each.source}`, each] as const))(
  '%s is the same as RegExp on ordinary texts',
  (_, { source, whole }) => {
    const ours = new Pattern(source, { whole });
    const theirs = new RegExp(whole ? `^(?:${source})$` : source, 'iu');
    const texts = [
      ...builtIn.map((each) => each.source.replace(/\\[a-z]|[\\^$?:()*+|[\]{}]/gi, '')),
      'Lexmark XC4140 S/N 7528123456789 CSTMH.240.205 E045 Fuser error 13.B2.D1 J-7201 C-0204 #E602 900 Firmware',
      'RICOH MP C3003 1.38 / RICOH Network Printer C model / SC-542 {12}',
      'Xerox AltaLink C8045; System 100.001.010.12345, Controller v12 09-361 jam',
    ];
    for (const text of texts) expect(ours.exec(text)).toEqual(theirs.exec(text)?.slice() ?? undefined);
  },
);

test('every pattern of every table, and those of the code, take a bounded time with hostile text', () => {
  const texts = UNIT_TEXTS.map((unit) => `${unit.repeat(65_535 / unit.length)}\u00e9`);
  expect(builtIn.length).toBeGreaterThan(80);
  for (const { source, whole, file } of builtIn) {
    const pattern = new Pattern(source, { whole });
    for (const text of texts) {
      const ms = spent(() => pattern.exec(text));
      if (ms > BOUND_MS) throw new Error(`${file} ${source}: ${ms} ms on ${text.slice(0, 12)}…`);
    }
  }
  for (const text of texts) {
    expect(spent(() => splitNameAndVersion(text))).toBeLessThan(BOUND_MS);
    expect(spent(() => versionsInDescription(text))).toBeLessThan(3 * BOUND_MS);
  }
}, 120_000);

test("a user's own table may say anything: it is bounded, or refused with the reason", () => {
  const table = (pattern: string) => ({ mapping: 'own', keywords: [{ pattern, severity: 'info' }] });
  for (const pattern of ['(a+)+b', '(a|aa)*c', '(.*)(.*)(.*)(.*)x', '(?=.*z)a*', '(x?){200}x{200}']) {
    const mapping = new MappingTables([{ file: 'own.json', document: table(pattern) }]);
    const [rule] = mapping.select({}).keywords;
    for (const unit of ['a', 'x']) {
      const text = unit.repeat(65_535);
      expect(spent(() => rule?.fits.pattern?.test(text))).toBeLessThan(BOUND_MS);
    }
  }
  for (const [pattern, reason] of [
    ['(a)\\1', /back reference has no bound/],
    ['(?<=a)b', /lookbehind has no bound/],
    ['(?:(?:a{400}){400}){400}', /too large/],
    ['(?:(?:){9999}){9999}', /too large/],
    ['(?=(?=a)b)', /lookahead within a lookahead/],
    ['a(', /Invalid regular expression/],
  ] as const) {
    expect(() => new MappingTables([{ file: 'own.json', document: table(pattern) }])).toThrow(reason);
  }
});

test('one value of a printer, or a thousand of them, hold the loop for a moment and are told', () => {
  const mapping = new MappingTables([
    {
      file: 'own.json',
      document: { mapping: 'own', keywords: [{ pattern: '(.*a)*(.*b)*(.*c)*z', severity: 'info' }] },
    },
  ]);
  const ipp = new IppAnswer();
  ipp.attributes.set('printer-state-reasons', ['-'.repeat(65_535)]);
  expect(spent(() => ippReading(ipp, mapping))).toBeLessThan(BOUND_MS);
  const many = new IppAnswer();
  many.attributes.set(
    'printer-state-reasons',
    Array.from({ length: 1_024 }, (_, i) => `${'abc'.repeat(80)}-${i}`),
  );
  let reading = ippReading(many, mapping);
  expect(spent(() => (reading = ippReading(many, mapping)))).toBeLessThan(3 * BOUND_MS);
  expect(reading.conditionsWhole).toBe(false);
  expect(reading.missing.map(({ field }) => field)).toContain('texts');

  const snmp = new SnmpAnswer();
  for (let row = 1; row <= 1_000; row++) {
    const value = Buffer.from(`${'_1'.repeat(30_000)}~${row}`);
    snmp.set(`${OID.hrSWInstalled}.2.${row}`, { type: 'octets', value });
    snmp.set(`${OID.prtAlert}.8.1.${row}`, { type: 'octets', value });
  }
  expect(spent(() => snmpReading(snmp, mapping))).toBeLessThan(3 * BOUND_MS);
});

test('searches share the steps of what they belong to, and nothing of it is left behind', () => {
  const pattern = new Pattern('(a|b)*c');
  const text = 'ab'.repeat(SEARCH_CHARS_MAX);
  const { result, enough } = withinSteps(1_000, () => [pattern.test(text), pattern.test('c')]);
  expect([result, enough]).toEqual([[false, false], false]);
  expect(pattern.test('abc')).toBe(true);
});
