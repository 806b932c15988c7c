/** The sample documents of `deploy/samples/`, put into a running center. */
import { readFileSync } from 'node:fs';
import type { OperatorClient } from '../../cli/operator-client.ts';

export function sample(name: string): Record<string, unknown> {
  const file = new URL(`../../deploy/samples/${name}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

export async function putSampleCatalog(operator: OperatorClient, name = 'catalog.json'): Promise<void> {
  await operator.call('catalog.put', { document: sample(name) });
}
