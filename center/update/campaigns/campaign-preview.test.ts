import { previewOf } from './campaign-preview.ts';
import type { Candidate, Considered, Targets } from './targets.ts';

/** Pages of printers that are all left out, without end; `onPage` is told of each. */
function endless(onPage: (page: number) => void): Pick<Targets, 'candidates' | 'consider'> {
  return {
    async *candidates() {
      for (let page = 1; ; page += 1) {
        onPage(page);
        yield [{ printer: `p${page}` }] as Candidate[];
      }
    },
    consider: async ([candidate]) => {
      const { printer = '' } = candidate ?? {};
      return [{ kind: 'excluded', printer, reason: 'busy', why: 'it is', stratum: '' }] as Considered[];
    },
  };
}

test('a preview is given up when whoever asked has gone', async () => {
  const gone = new AbortController();
  let pages = 0;
  const targets = endless((page) => {
    pages = page;
    if (page === 4) gone.abort();
  });
  await expect(previewOf(targets, {}, gone.signal)).rejects.toMatchObject({ code: 'request/abandoned' });
  expect(pages).toBe(4);
});
