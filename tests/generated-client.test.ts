import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { generateApi } from 'swagger-typescript-api';
import { temporaryFolder } from './harness/folder.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { Web } from './harness/web.ts';

// A client generated from the OpenAPI document compiles, and works against a real product.
let product: RunningProduct;
let folder: string;

/** The part of the generated client that is used here. */
interface GeneratedModule {
  Api: new (
    settings: object,
  ) => {
    api: {
      fleetSummary(params: object): Promise<{ data: { status: string; data: { printers: number } } }>;
      printersList(params: object): Promise<{ data: { data: { items: { printer: string }[] } } }>;
      printersGet(params: object): Promise<unknown>;
    };
  };
}

beforeAll(async () => {
  product = await startProduct();
  folder = temporaryFolder('platen-client-');
});

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

test('a generated client compiles and asks', async () => {
  const document = await new Web(product.http).send('GET', '/api/v1/openapi.json');
  const { files } = await generateApi({ spec: document.body, output: false, silent: true });
  const code = files[0]?.fileContent ?? '';
  const source = join(folder, 'client.ts');
  writeFileSync(source, code);
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  const options = [
    '--noEmit',
    '--strict',
    '--target',
    'es2022',
    '--module',
    'esnext',
    '--lib',
    'es2022,dom,dom.iterable',
    '--types',
    '',
  ];
  await promisify(execFile)(process.execPath, [tsc, ...options, source], { cwd: folder });

  const compiled = join(folder, 'client.mjs');
  writeFileSync(compiled, (await transform(code, { loader: 'ts', format: 'esm' })).code);
  const { Api } = (await import(pathToFileURL(compiled).href)) as GeneratedModule;
  const admin = await product.operator();
  await admin.call('printers.enroll', { printers: ['one', 'two'] });
  const { token } = await admin.call('tokens.create', { name: 'generated' });
  const client = new Api({
    baseUrl: product.http.replace(/\/$/, ''),
    securityWorker: () => ({ headers: { Authorization: `Bearer ${String(token)}` } }),
    baseApiParams: { secure: true },
  });
  const summary = await client.api.fleetSummary({});
  expect(summary.data).toMatchObject({ status: 'ok', data: { printers: 2 } });
  const list = await client.api.printersList({ limit: 1 });
  expect(list.data.data.items.map(({ printer }) => printer)).toEqual(['one']);
  await expect(client.api.printersGet({ printer: 'nobody' })).rejects.toMatchObject({
    error: { error: { code: 'request/not-found' } },
  });
});
