/** Shared by the tests of orders: a database in a temporary folder, a Redis, an initial structure. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { pino } from 'pino';
import { openStore, type Store } from '../../center/database/store.ts';
import { orderSteps } from '../../center/update/orders/order-plan.ts';
import type { OrderService } from '../../center/update/orders/order-service.ts';
import type { Repository } from '../../releases/repository.ts';
import type { Remedy, Structure } from '../../schemas/types.ts';
import { temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { prepareDatabase } from './prepared.ts';

export { freePort };

export const silent = pino({ level: 'silent' });

export interface TestStore {
  store: Store;
  folder: string;
  close(): Promise<void>;
}

/** A store on its own embedded Postgres. */
export async function testStore(): Promise<TestStore> {
  const folder = temporaryFolder('platen-update-');
  await prepareDatabase(folder);
  const store = await openStore({ source: { dataFolder: folder }, log: silent });
  return {
    store,
    folder,
    close: async () => {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A real redis-server without persistence, on a free port or on the port of one that was closed. */
export async function testRedis(again?: string): Promise<{ url: string; close(): Promise<void> }> {
  const port = again === undefined ? await freePort() : Number(new URL(again).port);
  const child: ChildProcess = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Ready to accept connections')) resolve();
    });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    close: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
    },
  };
}

/** The structure of a printer that fits the tests' releases. */
export function testStructure(engine = '2.4.0', session = 's1', more: Partial<Structure> = {}): Structure {
  return {
    session,
    revision: 1,
    at: '2026-11-22T07:00:00Z',
    reason: 'connect',
    apparatus: { model: 'C360', software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }] },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        software: [{ id: 'acme.engine', vendor: 'acme', version: engine }],
      },
    ],
    ...more,
  };
}

/** Resolves when `look` returns something; fails after `msMax`. */
export async function eventually<T>(
  look: () => T | undefined | Promise<T | undefined>,
  msMax = 100_000,
): Promise<T> {
  for (const end = Date.now() + msMax; ; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`nothing came within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * Gives a printer an order, as a campaign does that has chosen it.
 * @returns the execution; undefined when the printer already has an order
 */
export async function orderFor(
  orders: OrderService,
  repository: Repository,
  printer: string,
  structure: Structure,
  remedy: Pick<Remedy, 'software' | 'steps'>,
  withinMs = 7 * 24 * 3_600_000,
): Promise<string | undefined> {
  const planned = orderSteps(structure, remedy, (software, version) => repository.target(software, version));
  if (!planned.ok) throw new Error(planned.reason);
  const at = Date.now();
  const { session, revision } = structure;
  const [row] = await orders.store.create([
    {
      id: randomUUID(),
      printer,
      at,
      deadlineAt: at + withinMs,
      plan: { steps: planned.steps, structure: { session, revision } },
    },
  ]);
  if (!row) return undefined;
  await orders.dispatch([row]);
  return row.id;
}
