import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredEntry } from '../../center/queries.ts';
import type { OperatorClient } from '../../cli/operator-client.ts';
import { eventually } from '../harness/ear.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { sampleEntries, sampleStructure, TestPrinter } from '../harness/printer.ts';
import { type RunningProduct, startProduct } from '../harness/product.ts';
import { putSampleCatalog } from '../harness/samples.ts';
import { changesOf } from '../harness/setting.ts';

// Claim 3: what printers send is accumulated in the center's storage. It survives a restart and a kill.
const folder = temporaryFolder('platen-claim-');
const data = join(folder, 'data');
let product: RunningProduct | undefined;

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

async function stored(operator: OperatorClient) {
  const { items } = (await operator.call('printers.errors', { printer: 'claim-3' })) as {
    items: StoredEntry[];
  };
  const { structure, logs } = await operator.call('printers.get', { printer: 'claim-3' });
  const changes = await changesOf(operator, 'claim-3');
  return { seqs: items.map(({ seq }) => seq), first: items.at(-1), structure, changes, logs };
}

test('what was acknowledged is there after a kill and after a restart, and is added to', async () => {
  product = await startProduct({ data });
  let operator = await product.operator();
  await putSampleCatalog(operator);
  const password = String((await operator.call('printers.enroll', { printer: 'claim-3' }))['password']);
  let printer = await TestPrinter.connect(product.mqtt, 'claim-3', password);
  await printer.structure(sampleStructure({ revision: 1 }));
  await printer.structure(
    sampleStructure({ revision: 2, reason: 'change', units: sampleStructure().units.slice(0, 1) }),
  );
  await printer.errors({ entries: sampleEntries(1, 3) });
  await printer.errors({ entries: sampleEntries(4, 5) });
  // The process is killed right after the last PUBACK.
  await product.kill();
  await printer.close();

  product = await startProduct({ data });
  operator = await product.operator();
  const afterKill = await stored(operator);
  expect(afterKill.seqs).toEqual([5, 4, 3, 2, 1]);
  expect(afterKill.first).toMatchObject({
    code: 'J-7201',
    severity: 'error',
    unit: 'finisher.1',
    pages: 1_001,
  });
  expect(afterKill.structure).toMatchObject({ revision: 2, apparatus: { serial: 'A7X0021' } });
  expect(afterKill.changes).toEqual([{ kind: 'unit-removed', subject: 'finisher.1', from: 'FS-539' }]);

  printer = await TestPrinter.connect(product.mqtt, 'claim-3', password);
  // Sent again, as by a printer that received no acknowledgement: nothing is stored twice.
  await printer.errors({ entries: sampleEntries(4, 6) });
  await printer.close();
  expect(await product.stop()).toBe(0);

  product = await startProduct({ data });
  operator = await product.operator();
  const afterStop = await eventually(async () => {
    const now = await stored(operator);
    return now.seqs.length === 6 && now;
  }, 'six entries');
  expect(afterStop.seqs).toEqual([6, 5, 4, 3, 2, 1]);
  expect(afterStop.logs).toMatchObject([{ log: 'log-1', upTo: 6, lost: 0 }]);
});
