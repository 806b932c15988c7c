/**
 * The rules of the house that a machine can keep: no circles, pure cores without I/O, parts that don't reach into
 * each other. Run by `npm run check`. Each rule says what to do instead.
 */
const TESTS = '(\\.test\\.ts$|^tests/|^bench/)';
/** Packages that compute and do no I/O. node:crypto is one: hashing is a pure function. */
const COMPUTES = ['^(node:)?(crypto|buffer)$', '(^|node_modules/)(semver|fast-check)(/|$)'];
const PURE = [
  '^base/random\\.ts$',
  '^compatibility/',
  '^mqtt/',
  '^center/trouble/engine/',
  '^center/statistics/',
  '^center/readings/(counter|fold|forecast|limits|local-day|signs|supply)\\.ts$',
  '^center/update/limits\\.ts$',
  '^center/update/campaigns/(campaign-state|code-guard|guard|draw)\\.ts$',
  '^center/update/orders/order-state\\.ts$',
  '^center/ingest/(log-cursor|printer-states|structure-changes|storable)\\.ts$',
  '^agent/(session|error-reporter|readings-reporter|report-schedule|structure-reporter|update-reports|backoff|policy|log-memory|entry|limits|driver)\\.ts$',
  '^agent/mapping/',
];

export default {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Move what both files need into a third one, types included.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-core',
      comment:
        'A pure core imports pure files, schemas/ and types only, so nothing it reaches does I/O. Pass data and time in.',
      severity: 'error',
      // tables.ts reads the makers' tables from files, once, when it is loaded.
      from: { path: PURE, pathNot: [TESTS, '^agent/mapping/tables\\.ts$'] },
      to: { pathNot: [...PURE, ...COMPUTES, '^schemas/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'agent-apart',
      comment:
        'Printer code runs without the server: share through schemas/, mqtt/, compatibility/ or releases/.',
      severity: 'error',
      from: { path: '^(agent|device-sim)/', pathNot: TESTS },
      to: { path: '^(center|broker|cli)/' },
    },
    {
      name: 'cli-on-top',
      comment: 'cli/ puts the parts together; nothing may depend on it.',
      severity: 'error',
      from: { pathNot: ['^cli/', TESTS] },
      to: { path: '^cli/' },
    },
    {
      name: 'broker-knows-no-center',
      comment: 'The broker is embedded by the center, not the other way round: use broker/embedding.ts.',
      severity: 'error',
      from: { path: '^(broker|mqtt)/', pathNot: TESTS },
      to: { path: '^(center|agent|device-sim|cli)/' },
    },
    {
      name: 'no-test-code-in-the-product',
      comment: 'Oracles, far sides and harnesses live below tests/.',
      severity: 'error',
      from: { pathNot: TESTS },
      to: { path: '(^tests/|^bench/|\\.test\\.ts$)' },
    },
    {
      name: 'one-file-for-aedes',
      comment: 'Only broker/aedes.ts knows Aedes and what it is built of. Use the interface it exports.',
      severity: 'error',
      from: { pathNot: ['^broker/aedes\\.ts$', TESTS] },
      to: { path: 'node_modules/(aedes|aedes-[a-z]+|mqemitter)/' },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^node_modules/\\.|^bench/results)' },
    // Without the conditions a package that is only an ES module has no path, and rules about it hold for nothing.
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
