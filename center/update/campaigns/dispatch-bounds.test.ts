import fc from 'fast-check';
import { type Applicant, type DispatchLimits, type FleetLoad, withinBounds } from './dispatch-bounds.ts';

const LIMITS: DispatchLimits = { perMinute: 100, siteShare: 0.5, keepLast: true, unproven: 4, growth: 2 };
const NOTHING: FleetLoad = {
  inMinute: 0,
  strata: new Map(),
  releases: new Map(),
  sites: new Map(),
  pools: new Map(),
};
const applicants = (count: number, change: Partial<Applicant> = {}): Applicant[] =>
  Array.from({ length: count }, (_, at) => ({
    printer: `p${at}`,
    online: true,
    stratum: 'a',
    releases: ['engine@2'],
    ...change,
  }));
const proven = { active: 0, out: 0, good: 1000 };
const known = {
  ...NOTHING,
  strata: new Map([['a', proven]]),
  releases: new Map([['engine@2', proven]]),
};

test('what has proved nothing goes to a few, whatever asks; the number grows with what it has proved', () => {
  const first = withinBounds(applicants(300), 300, NOTHING, LIMITS);
  expect([first.admitted.length, first.waits]).toEqual([4, { 'configuration-unproven': 296 }]);
  const elsewhere = { ...NOTHING, releases: new Map([['engine@2', { active: 4, out: 4, good: 0 }]]) };
  expect(withinBounds(applicants(9), 9, elsewhere, LIMITS)).toEqual({
    admitted: [],
    waits: { 'release-unproven': 9 },
  });
  const shown = { active: 0, out: 0, good: 10 };
  const later = { ...NOTHING, strata: new Map([['a', shown]]), releases: new Map([['engine@2', shown]]) };
  expect(withinBounds(applicants(300), 300, later, LIMITS).admitted).toHaveLength(20);
});

test('no more than so many a minute, over all campaigns', () => {
  const { admitted, waits } = withinBounds(applicants(300), 300, { ...known, inMinute: 70 }, LIMITS);
  expect([admitted.length, waits]).toEqual([30, { 'fleet-per-minute': 270 }]);
});

test('a site keeps half of its printers and its last working one; a lone printer gets its order', () => {
  const site = (printers: number, working: number, underWay = 0) => ({
    ...known,
    sites: new Map([['berlin', { printers, working, underWay }]]),
  });
  const of = (fleet: FleetLoad, count: number) =>
    withinBounds(applicants(count, { site: 'berlin' }), count, fleet, LIMITS);
  expect(of(site(1, 1), 1).admitted).toHaveLength(1);
  expect(of(site(10, 10), 10)).toMatchObject({ admitted: { length: 5 }, waits: { 'site-share': 5 } });
  expect(of(site(10, 2), 2)).toMatchObject({ admitted: { length: 1 }, waits: { 'last-of-site': 1 } });
  const pool = { ...known, pools: new Map([['lobby', { printers: 2, working: 1, underWay: 0 }]]) };
  expect(withinBounds(applicants(1, { pool: 'lobby' }), 1, pool, LIMITS).waits).toEqual({
    'last-of-pool': 1,
  });
});

test('whatever is asked for, every bound holds', () => {
  const load = fc.record({ active: fc.nat(20), out: fc.nat(40), good: fc.nat(30) });
  const place = fc.record({
    printers: fc.integer({ min: 1, max: 30 }),
    underWay: fc.nat(10),
    working: fc.nat(10),
  });
  const name = fc.constantFrom('x', 'y', 'z');
  fc.assert(
    fc.property(
      fc.array(fc.record({ online: fc.boolean(), stratum: name, release: name, site: name, pool: name }), {
        maxLength: 40,
      }),
      fc.nat(40),
      fc.dictionary(name, load),
      fc.dictionary(name, load),
      fc.dictionary(name, place),
      fc.nat(120),
      (list, wanted, strata, releases, sites, inMinute) => {
        const asked = list.map(({ release, ...each }, at) => ({
          ...each,
          printer: `p${at}`,
          releases: [release],
        }));
        const fleet: FleetLoad = {
          inMinute,
          strata: new Map(Object.entries(strata)),
          releases: new Map(Object.entries(releases)),
          sites: new Map(Object.entries(sites)),
          pools: new Map(),
        };
        const { admitted, waits } = withinBounds(asked, wanted, fleet, LIMITS);
        expect(admitted.length).toBeLessThanOrEqual(
          Math.min(wanted, Math.max(0, LIMITS.perMinute - inMinute)),
        );
        const held = Object.values(waits).reduce((sum, n) => sum + n, 0);
        expect(admitted.length + held).toBeLessThanOrEqual(asked.length);
        if (admitted.length < wanted) expect(admitted.length + held).toBe(asked.length);
        for (const [site, { printers, underWay, working }] of Object.entries(sites)) {
          const here = admitted.filter((each) => each.site === site);
          if (printers <= 1) continue;
          if (here.length > 0) {
            expect(underWay + here.length).toBeLessThanOrEqual(Math.max(1, Math.floor(printers / 2)));
          }
          const online = here.filter((each) => each.online).length;
          if (online > 0) expect(working - online).toBeGreaterThanOrEqual(1);
        }
        for (const [release, { active, good }] of Object.entries(releases)) {
          const here = admitted.filter((each) => each.releases.includes(release) && each.online).length;
          if (here > 0) expect(active + here).toBeLessThanOrEqual(Math.max(4, 2 * good));
        }
      },
    ),
    { seed: 12, numRuns: 2_000 },
  );
});
