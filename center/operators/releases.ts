import { cursorOf, keyOf } from '../database/page-cursor.ts';
import { defineMethod } from './method.ts';
import { pageOf } from './paging.ts';

/** The releases of the signed repository, by path. */
export const releasesList = defineMethod('releases.list', 'reads', async (params, _caller, capabilities) => {
  const { limit, cursor } = pageOf(params);
  const [after] = cursor === undefined ? [] : keyOf('releases', cursor, ['text']);
  const found = capabilities.releases
    .list()
    .filter(({ custom, target }) => {
      const wanted = params.software === undefined || custom.software === params.software;
      return wanted && (after === undefined || target > after);
    })
    .sort((a, b) => (a.target < b.target ? -1 : 1));
  const stops = await capabilities.campaigns.stops();
  const items = found.slice(0, limit).map((release) => {
    const { software, version } = release.custom;
    const stopped = stops.filter(({ releases }) => releases.includes(`${software}@${version}`));
    return { ...release, ...(stopped.length > 0 ? { stopped } : {}) };
  });
  const last = items.at(-1);
  return {
    data: { items, ...(found.length > limit && last ? { next: cursorOf('releases', [last.target]) } : {}) },
  };
});

/** Lifts the stops of a release that the guard or a person set. */
export const releasesRelease = defineMethod(
  'releases.release',
  'changes',
  async ({ software, version, reason }, caller, capabilities) => ({
    data: { lifted: await capabilities.campaigns.release(`${software}@${version}`, caller.name, reason) },
  }),
);
