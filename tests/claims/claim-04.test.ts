import { sampleEntries, sampleStructure, type TestPrinter } from '../harness/printer.ts';
import { useProduct } from '../harness/setting.ts';

// Claim 4: the printer can read the center's results from the accumulated information.
const setting = useProduct();
let printer: TestPrinter;

beforeAll(async () => {
  printer = await setting.printer('claim-4');
  await printer.structure(sampleStructure());
  await printer.verdictOn(1);
  await printer.errors({ entries: [...sampleEntries(1, 4), ...sampleEntries(5, 5, { code: 'W-1' })] });
  const other = await setting.printer('other-4');
  await other.errors({ entries: sampleEntries(1, 2) });
});

test('its own errors with their rates (history)', async () => {
  const answer = (await printer.ask('history')) as {
    status: string;
    data: { items: { seq: number }[]; rates: Record<string, unknown> };
  };
  expect(answer.status).toBe('ok');
  // Only its own entries, not the other printer's.
  expect(answer.data.items.map(({ seq }) => seq)).toEqual([5, 4, 3, 2, 1]);
  // Five errors over four minutes and four pages.
  expect(answer.data.rates).toEqual({
    byCode: { 'J-7201': 4, 'W-1': 1 },
    per1000Pages: (5 * 1_000) / 4,
    perHour: 75,
  });
});

test('its verdict', async () => {
  expect(await printer.ask('verdict')).toMatchObject({
    status: 'ok',
    data: { status: 'compatible', structure: { session: '01JD', revision: 1 }, catalog: '2026-11-22.1' },
  });
});

test('what would fit it now (options)', async () => {
  const { status, data } = await printer.ask('options');
  expect(status).toBe('ok');
  const text = JSON.stringify(data);
  expect(text).toContain('finisher.1');
  expect(text).toContain('FS-539');
  // FS-540 needs controller 3.2.0; a withdrawn version is no option.
  expect(text).not.toContain('2.3.0');
});

test('its troubles', async () => {
  expect(await printer.ask('troubles')).toMatchObject({ status: 'ok', data: { open: [], closed: [] } });
});

test('an ask that there is not is answered with an error', async () => {
  expect(await printer.ask('nothing')).toMatchObject({
    status: 'error',
    error: { code: 'request/unknown-method' },
  });
});
