/** The sample documents of `deploy/samples/`, put into a running center. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperatorClient } from '../../cli/operator-client.ts';
import { openLocalRepository } from '../../releases/local.ts';
import { customOf } from '../../releases/targets.ts';
import type { Catalog } from '../../schemas/types.ts';
import { checkSchema } from '../../schemas/validate.ts';

export function sample(name: string): Record<string, unknown> {
  const file = new URL(`../../deploy/samples/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

export async function putSampleCatalog(operator: OperatorClient, name = 'catalog.json'): Promise<void> {
  await operator.call('catalog.put', { document: sample(name) });
}

const IMAGE_BYTES = 4_096;

/** An image with different content for every name, and the same content on every call. */
export function imageOf(name: string): Buffer {
  return Buffer.alloc(IMAGE_BYTES, createHash('sha256').update(name).digest());
}

/** Publishes an image for every release of a catalog in the repository of a data folder, before the product starts. */
export async function publishReleases(data: string, catalog: Record<string, unknown>): Promise<void> {
  const repository = await openLocalRepository(join(data, 'repository'), join(data, 'keys'), Date.now);
  const { software = [] } = checkSchema('catalog', catalog) as Catalog;
  await repository.release(
    software.flatMap((product) =>
      product.releases.map((release) => ({
        image: imageOf(`${product.id} ${release.version}`),
        custom: customOf(product, release),
      })),
    ),
  );
}
