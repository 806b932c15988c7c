/**
 * A request does what it says and nothing that it leaves out: a mistyped name is reported, the whole fleet must be
 * named explicitly, an unknown name is refused, and an unexpected number of printers stops everything before it begins.
 */
import { sampleStructure } from './harness/printer.ts';
import { useProduct } from './harness/setting.ts';

const setting = useProduct({ releases: true });
const ENGINE = { id: 'acme.engine' };
const EAST = { idPrefix: 'east-' };
/** The ISO weekday in three days: not today in any time zone. */
const FAR_DAY = new Date(Date.now() + 3 * 86_400_000).getUTCDay() || 7;
let printers: string[] = [];

beforeAll(async () => {
  printers = ['east-1', 'east-2', 'east-3', 'west-1', 'west-2'];
  for (const id of printers) {
    const printer = await setting.printer(id);
    await printer.structure(sampleStructure());
    await printer.verdictOn(1);
  }
});

/** The error reply to a request. */
async function refusal(method: string, params: object): Promise<{ code: string; message: string }> {
  const reply = await setting.operator.request(method, params as Record<string, unknown>);
  expect([method, params, reply.status]).toEqual([method, params, 'error']);
  return { code: String(reply.error?.code), message: String(reply.error?.message) };
}

const SAY_WHOM = 'say whom: ';
const FLEET = 'say "fleet": true';

describe.each(['campaigns.preview', 'campaigns.create'])('%s', (method) => {
  test.each<[object, string, string]>([
    [{}, 'request/invalid', 'say what: "software", "release", "trouble" or "remedy": "each"; and whom'],
    [{ filter: EAST }, 'request/invalid', 'say what'],
    [{ software: ENGINE }, 'request/invalid', SAY_WHOM],
    [{ software: ENGINE, filter: {} }, 'request/invalid', FLEET],
    [{ software: ENGINE, filter: { idPrefix: '' } }, 'request/invalid', FLEET],
    [{ software: ENGINE, filter: { label: {} } }, 'request/invalid', FLEET],
    [{ software: ENGINE, fleet: false }, 'request/invalid', '/fleet'],
    [{ software: ENGINE, filter: EAST, fleet: true }, 'request/invalid', 'one of them only'],
    [{ software: ENGINE, release: 'acme.engine@2.5.0', fleet: true }, 'request/invalid', 'one of them only'],
    [{ software: ENGINE, fliter: EAST }, 'request/invalid', 'did you mean "filter"?'],
    [{ software: ENGINE, filter: { sites: 'a' } }, 'request/invalid', 'did you mean "site"?'],
    [{ software: ENGINE, printers: ['east-11'] }, 'request/unknown-printer', 'did you mean "east-1"'],
    [
      { software: ENGINE, filter: { idPrefix: 'north-' } },
      'request/conflict',
      'No printer matches the filter, of 5',
    ],
    [
      { software: { id: 'acme.engin' }, fleet: true },
      'request/unknown-software',
      'did you mean "acme.engine"?',
    ],
    [
      { software: { id: 'acme.engine', range: 'newest' }, fleet: true },
      'request/invalid',
      'the range "newest"',
    ],
    [
      { release: 'acme.engine@2.5', fleet: true },
      'request/unknown-release',
      'did you mean "acme.engine@2.5.0"',
    ],
    [{ release: 'acme.engine@9.9.9', fleet: true }, 'request/unknown-release', 'acme.engine@9.9.9'],
    [{ release: 'acme.engin@2.5.0', fleet: true }, 'request/unknown-software', 'did you mean "acme.engine"?'],
    [{ trouble: 'none', fleet: true }, 'request/unknown-trouble', '"none"'],
    [{ software: ENGINE, filter: { model: 'C36O' } }, 'request/unknown-model', 'did you mean "C360"'],
    [{ software: ENGINE, filter: { rule: 'finisher' } }, 'request/unknown-rule', '"finisher"'],
    [
      { software: ENGINE, filter: { software: { id: 'acme.engne' } } },
      'request/unknown-software',
      'did you mean "acme.engine"?',
    ],
    [{ software: ENGINE, filter: EAST, expect: { targets: 300 } }, 'request/conflict', '300 were expected'],
    [{ software: ENGINE, filter: EAST, options: { tolerated: 0 } }, 'request/invalid', '/options/tolerated'],
    [{ software: ENGINE, filter: EAST, options: { tolerated: 1 } }, 'request/invalid', '/options/tolerated'],
    [
      { software: ENGINE, filter: EAST, options: { window: { from: '25:00', to: '26:00' } } },
      'request/invalid',
      '/options/window/from',
    ],
    [
      { software: ENGINE, filter: EAST, options: { promoteBelow: 0 } },
      'request/invalid',
      '/options/promoteBelow',
    ],
    [
      { software: ENGINE, filter: EAST, options: { promoteBelow: 1 } },
      'request/invalid',
      '/options/promoteBelow',
    ],
    [
      { software: ENGINE, filter: EAST, expect: { targets: 1, tolerance: -1 } },
      'request/invalid',
      '/expect/tolerance',
    ],
    [{ software: ENGINE, filter: EAST, options: { canaries: 0 } }, 'request/invalid', '/options/canaries'],
    [
      { software: ENGINE, filter: EAST, options: { deadline: 'PT0S' } },
      'request/invalid',
      '/options/deadline PT0S is too short',
    ],
    [
      {
        software: ENGINE,
        filter: EAST,
        options: { window: { from: '02:00', to: '02:01', days: [FAR_DAY] }, deadline: 'PT1H' },
      },
      'request/invalid',
      '/options/window does not open before the deadline PT1H',
    ],
    [
      { software: ENGINE, filter: EAST, options: { window: { from: '01:00', to: '02:00', days: [] } } },
      'request/invalid',
      '/options/window/days',
    ],
  ])('refuses %j with %s', async (params, code, message) => {
    const refused = await refusal(method, params);
    expect([refused.code, refused.message]).toEqual([code, expect.stringContaining(message)]);
    expect(await setting.operator.call('campaigns.list')).toEqual({ items: [] });
  });
});

test.each([
  ['structure.request', {}, SAY_WHOM],
  ['structure.request', { filter: {} }, FLEET],
  ['structure.request', { printer: 'east-1', filter: EAST }, 'one of them only'],
  ['errors.request', {}, SAY_WHOM],
  ['errors.request', { filter: {} }, FLEET],
  ['errors.request', { filter: EAST, since: { log: 'l', seq: 1 } }, '/since'],
  ['policy.set', { policy: {} }, '"fleet": true'],
  ['policy.set', { policy: {}, filter: {} }, FLEET],
  ['policy.set', { policy: {}, filter: EAST, default: true }, 'exactly one'],
  ['policy.set', { policy: { errors: { mod: 'stream' } }, fleet: true }, 'did you mean "mode"?'],
])('%s with %j is refused', async (method, params, message) => {
  const refused = await refusal(method, params);
  expect([refused.code, refused.message]).toEqual(['request/invalid', expect.stringContaining(message)]);
});

test.each([
  ['structure.request', { printer: 'east-9' }, 'request/unknown-printer'],
  ['policy.set', { printer: 'nobody', policy: {} }, 'request/unknown-printer'],
  ['errors.request', { filter: { idPrefix: 'north-' } }, 'request/conflict'],
  ['printers.list', { filter: { model: 'C36' } }, 'request/unknown-model'],
  ['troubles.list', { rule: 'no-such-rule' }, 'request/unknown-rule'],
])('%s with %j names whom nobody knows', async (method, params, code) => {
  expect((await refusal(method, params)).code).toBe(code);
});

test('the whole fleet is reached when it is said, and a filter that everybody matches says so', async () => {
  const all = printers.length;
  const { operator } = setting;
  expect(await operator.call('structure.request', { fleet: true })).toEqual({ printers: all });
  expect(
    await operator.call('policy.set', { fleet: true, policy: { structure: { every: 'PT1H' } } }),
  ).toEqual({
    printers: all,
  });
  expect(await operator.call('structure.request', { filter: { model: 'C360' } })).toEqual({
    printers: all,
    warnings: [`The filter matches every printer, all ${all}`],
  });
  expect(await operator.call('structure.request', { filter: EAST })).toEqual({ printers: 3 });
});

test('a campaign that is asked for in full runs: by release, by software, for named printers, with what is expected', async () => {
  const { operator } = setting;
  const software = { id: 'acme.engine', range: '>=2.6.0' };
  const { targets } = await operator.call('campaigns.preview', { software, filter: EAST });
  expect(targets).toBe(3);
  const canaries = { software, filter: EAST, options: { canaries: 4 } };
  for (const method of ['campaigns.preview', 'campaigns.create']) {
    expect(await refusal(method, canaries)).toMatchObject({
      code: 'request/invalid',
      message: expect.stringContaining('4 canaries are more than the 3 printers'),
    });
  }
  expect(await refusal('campaigns.create', { software, filter: EAST, expect: { targets: 5 } })).toMatchObject(
    {
      code: 'request/conflict',
      message: expect.stringContaining('3 printers would take part, 5 were expected'),
    },
  );
  expect(await operator.call('campaigns.list')).toEqual({ items: [] });
  const options = { propose: true };
  const created = await operator.call('campaigns.create', {
    software,
    filter: EAST,
    expect: { targets: 3 },
    options,
  });
  expect(created).toMatchObject({ state: 'proposed', targets: 3, software });
  const named = await operator.call('campaigns.preview', {
    release: 'acme.engine@2.6.1',
    printers: ['west-1'],
  });
  expect(named).toMatchObject({ targets: 1 });
  const each = await operator.call('campaigns.preview', { remedy: 'each', fleet: true });
  expect(each).toMatchObject({ fine: expect.any(Number) });
});

test('names in the settings of rollouts and in rules that nothing known has are told', async () => {
  const { operator } = setting;
  const exceptions = (each: object) => ({ exceptions: [{ mode: 'off', ...each }] });
  for (const [params, code, says] of [
    [exceptions({}), 'request/invalid', 'it would hold for everybody'],
    [exceptions({ model: 'C36O' }), 'request/unknown-model', 'did you mean "C360"'],
    [exceptions({ rule: 'nope' }), 'request/unknown-rule', '"nope"'],
  ] as const) {
    expect(await refusal('rollout.set', params)).toMatchObject({
      code,
      message: expect.stringContaining(says),
    });
  }
  const rule = {
    id: 'names',
    by: ['printer'],
    when: { count: { ge: 1, over: 'PT1H' } },
    scope: { models: ['C36O', 'C*'], software: { id: 'acme.engin' } },
    remedy: { software: { id: 'acme.engne', range: '*' } },
  };
  const { diagnostics } = await operator.call('rules.put', { document: { rules: 'names', list: [rule] } });
  expect(
    (diagnostics as { path: string; message: string }[]).map(({ path, message }) => [path, message]),
  ).toEqual([
    ['/list/0/scope/models/0', expect.stringContaining('did you mean "C360"')],
    ['/list/0/scope/software/id', expect.stringContaining('did you mean "acme.engine"')],
    ['/list/0/remedy/software/id', expect.stringContaining('did you mean "acme.engine"')],
  ]);
});
