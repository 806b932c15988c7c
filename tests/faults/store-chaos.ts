/**
 * The product under load while its store suffers every known fault, in an order that the seed decides: the product
 * killed, with or without its Postgres, Postgres killed or paused, a full disk, a read-only database, a clock that is
 * years ahead, small files torn, a second product on the same folder. Whatever happens, everything acknowledged is
 * stored once, nothing is deleted, and a product that cannot continue says what to do.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Random, randomFor } from '../../base/random.ts';
import { encodeEntries, RawPrinter } from '../../bench/ingest/raw-printer.ts';
import { reachEmbedded, startEmbeddedPostgres } from '../../center/database/embedded-postgres.ts';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort } from '../harness/ports.ts';
import { platen, type RunningProduct, startProduct } from '../harness/product.ts';
import { storedEntries } from './stored-entries.ts';

export const FAULTS = [
  'kill',
  'power',
  'postgres-killed',
  'postgres-paused',
  'read-only',
  'disk-full',
  'clock-ahead',
  'torn-files',
  'second-product',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Chaos {
  /** How often each fault occurs. */
  faults: Partial<Record<Fault, number>>;
  printers: number;
  pause_ms: number;
  seed: number;
}

export interface AfterChaos {
  acknowledged: number;
  stored: number;
  /** In order of occurrence. */
  faults: Fault[];
  /** Printers with a gap, a duplicate entry, or fewer entries than were acknowledged. */
  wrong: string[];
  /** Whether the database is still the one that the first start created. */
  sameDatabase: boolean;
}

const WINDOW = 10;
/** Pause between two windows of a printer: the load should be steady, not high. */
const PACE_MS = 100;
const SILENCE_MS_MAX = 15_000;
const READY_MS_MAX = 60_000;
/** Size of the database's disk, small enough to fill quickly. */
const DISK_MIB = 700;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A printer's log memory: the unacknowledged messages, in order. */
class Memory {
  readonly id: string;
  readonly password: string;
  /** The last acknowledged entry. */
  acknowledged = 0;
  readonly #random: Random;
  readonly #waiting: { packet: Buffer; last: number }[] = [];
  #next = 1;

  constructor(id: string, password: string, random: Random) {
    this.id = id;
    this.password = password;
    this.#random = random;
  }

  /** The next messages to send, the same ones until they are acknowledged. */
  window(): Buffer[] {
    while (this.#waiting.length < WINDOW) {
      const count = 1 + Math.floor(this.#random() * 5);
      const packet = encodeEntries(this.id, `log-${this.id}`, this.#next, count);
      this.#next += count;
      this.#waiting.push({ packet, last: this.#next - 1 });
    }
    return this.#waiting.map(({ packet }) => packet);
  }

  forget(messages: number): void {
    const gone = this.#waiting.splice(0, messages);
    this.acknowledged = gone.at(-1)?.last ?? this.acknowledged;
  }
}

/** Rejects when `work` takes too long; clears its timer in any case. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const tooLong = sleep(SILENCE_MS_MAX, undefined, { signal: done.signal }).then(() => {
    throw new Error('no acknowledgement');
  });
  await Promise.race([work, tooLong]).finally(() => done.abort());
}

/** Root mounts a small disk for the data, so that it can become full; otherwise the database simulates the error. */
function mountDisk(folder: string): boolean {
  if (process.getuid?.() !== 0) return false;
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder]).status === 0;
}

class ChaosRun {
  readonly #chaos: Chaos;
  readonly #folder: string;
  readonly #data: string;
  readonly #random: Random;
  readonly #hasDisk: boolean;
  #env: Record<string, string> = {};
  #product: RunningProduct | undefined;
  #memories: Memory[] = [];
  #over = false;

  constructor(chaos: Chaos, folder: string, hasDisk: boolean) {
    this.#chaos = chaos;
    this.#folder = folder;
    this.#data = join(folder, 'data');
    this.#hasDisk = hasDisk;
    this.#random = randomFor(chaos.seed, 'chaos');
  }

  async run(): Promise<AfterChaos> {
    this.#env = {
      PLATEN_MQTT_PORT: String(await freePort()),
      PLATEN_HTTP_PORT: String(await freePort()),
    };
    await this.#start();
    const operator = await this.#running.operator();
    const ids = Array.from({ length: this.#chaos.printers }, (_, index) => `chaos-${index}`);
    const { items } = await operator.call('printers.enroll', { printers: ids });
    await operator.close();
    this.#memories = (items as { printer: string; password: string }[]).map(
      (one) => new Memory(one.printer, one.password, randomFor(this.#chaos.seed, one.printer)),
    );
    const version = () => statSync(join(this.#data, 'postgres', 'cluster', 'PG_VERSION')).ino;
    const inode = version();
    const speaking = this.#memories.map((memory) => this.#speak(memory));
    const faults = this.#inSomeOrder();
    try {
      for (const [index, fault] of faults.entries()) {
        await sleep(100 + this.#random() * 900);
        const before = this.#acknowledged();
        const began = performance.now();
        await this.#hurt(fault);
        await this.#untilReady();
        await this.#until(`entries are taken after ${fault}`, () => this.#acknowledged() > before);
        const seconds = ((performance.now() - began) / 1_000).toFixed(1);
        // Shows how far the run came when it fails or is interrupted.
        process.stdout.write(
          `store chaos: ${index + 1}/${faults.length} ${fault}, ${seconds} s, ${this.#acknowledged()} acknowledged\n`,
        );
      }
    } catch (error) {
      await this.#product?.kill();
      // A successful start adopts the Postgres that was left behind, and `stop` ends it.
      await (await startEmbeddedPostgres(this.#data, silent)).stop();
      throw error;
    } finally {
      this.#over = true;
      await this.#product?.kill();
      await Promise.all(speaking);
    }
    await this.#start();
    const code = await this.#running.stop();
    if (code !== 0) throw new Error(`the product ended with ${code}`);
    const found = await storedEntries(
      this.#data,
      this.#memories.map(({ id, acknowledged }) => ({ id, last: acknowledged })),
    );
    return { ...found, faults, acknowledged: this.#acknowledged(), sameDatabase: version() === inode };
  }

  get #running(): RunningProduct {
    if (!this.#product) throw new Error('there is no product');
    return this.#product;
  }

  async #start(env: Record<string, string> = {}): Promise<void> {
    this.#product = await startProduct({ data: this.#data, env: { ...this.#env, ...env } });
  }

  #acknowledged(): number {
    return this.#memories.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  #inSomeOrder(): Fault[] {
    const all = FAULTS.flatMap((fault) =>
      Array.from({ length: this.#chaos.faults[fault] ?? 0 }, () => ({ fault, at: this.#random() })),
    );
    return all.sort((a, b) => a.at - b.at).map(({ fault }) => fault);
  }

  /** Sends unacknowledged messages, over as many connections as it takes. */
  async #speak(memory: Memory): Promise<void> {
    while (!this.#over) {
      let printer: RawPrinter | undefined;
      /** Whether a window is in flight. */
      let sent = false;
      try {
        printer = await RawPrinter.connect({
          host: '127.0.0.1',
          port: Number(this.#env['PLATEN_MQTT_PORT']),
          id: memory.id,
          password: memory.password,
          filters: [],
          window: WINDOW,
        });
        while (!this.#over) {
          sent = true;
          // A send between two windows on a closed connection would never settle.
          await inTime(printer.send(memory.window()));
          sent = false;
          memory.forget(printer.acknowledged);
          await sleep(PACE_MS);
        }
      } catch {
        // The faults break connections; the next one sends what is unacknowledged.
      } finally {
        if (printer && sent) memory.forget(printer.acknowledged);
        printer?.close();
      }
      await sleep(PACE_MS);
    }
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>, ms = READY_MS_MAX): Promise<void> {
    const end = Date.now() + ms;
    while (!(await holds())) {
      if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
      await sleep(50);
    }
  }

  async #readyz(): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#env['PLATEN_HTTP_PORT']}/readyz`);
      return { status: response.status, text: await response.text() };
    } catch {
      return { status: 0, text: 'nobody answers' };
    }
  }

  async #untilReady(): Promise<void> {
    await this.#until('ready again', async () => (await this.#readyz()).status === 200);
  }

  /** Waits until it is not ready, with the expected reason. */
  async #untilSaid(words: RegExp): Promise<void> {
    let last = '';
    await this.#until(`/readyz says ${words}`, async () => {
      const { status, text } = await this.#readyz();
      last = text;
      return status === 503 && words.test(text);
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${last}`);
    });
  }

  /** Process ids of the server and its children. */
  #postgres(): number[] {
    const [server] = readFileSync(join(this.#data, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split(
      '\n',
    );
    const parent = Number(server);
    // The file is empty for a moment during a start, and pid 0 would mean our own process group.
    if (!Number.isInteger(parent) || parent <= 1) throw new Error(`no server in postmaster.pid: "${server}"`);
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(parent)], { encoding: 'utf8' });
    return [
      parent,
      ...stdout
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0),
    ];
  }

  #signal(pids: number[], signal: NodeJS.Signals): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Runs statements beside the product, each outside a transaction. */
  async #sql(...statements: string[]): Promise<void> {
    const { url } = await reachEmbedded(this.#data, silent);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  }

  async #hurt(fault: Fault): Promise<void> {
    switch (fault) {
      case 'kill':
        await this.#running.kill();
        return this.#start();
      case 'power': {
        const server = this.#postgres();
        this.#signal(server, 'SIGKILL');
        await this.#running.kill();
        return this.#start();
      }
      case 'postgres-killed':
        this.#signal(this.#postgres(), 'SIGKILL');
        return;
      case 'postgres-paused': {
        const server = this.#postgres();
        this.#signal(server, 'SIGSTOP');
        try {
          await this.#untilSaid(/the database is not reachable/);
          await sleep(this.#chaos.pause_ms);
        } finally {
          this.#signal(server, 'SIGCONT');
        }
        return;
      }
      case 'read-only':
        await this.#sql('ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()');
        await this.#untilSaid(/takes nothing: .*read-only/);
        await this.#sql(
          'SET default_transaction_read_only = off',
          'ALTER SYSTEM RESET default_transaction_read_only',
          'SELECT pg_reload_conf()',
        );
        return;
      case 'disk-full':
        return this.#fillDisk();
      case 'clock-ahead': {
        await this.#running.kill();
        const { stdout } = spawnSync('faketime', ['-f', '+1d', 'printenv', 'LD_PRELOAD'], {
          encoding: 'utf8',
        });
        await this.#start({
          LD_PRELOAD: stdout.trim(),
          FAKETIME: '+2y',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        });
        const { text } = await this.#readyz();
        if (!/leapt \d+ days ahead/.test(text)) throw new Error(`a leap was not said: ${text}`);
        await sleep(500);
        await this.#running.kill();
        return this.#start();
      }
      case 'torn-files':
        return this.#tear();
      case 'second-product': {
        const { code, stderr } = await platen(['up'], {
          env: { PLATEN_DATA: this.#data, PLATEN_MQTT_PORT: '0', PLATEN_HTTP_PORT: '0' },
        });
        if (code !== 1 || !/in use by platen up \(process \d+\), at mqtt:/.test(stderr)) {
          throw new Error(`a second product ended with ${code}: ${stderr}`);
        }
        return;
      }
    }
  }

  async #fillDisk(): Promise<void> {
    if (!this.#hasDisk) {
      // Only root can mount a disk: a trigger raises the error that Postgres reports on a full disk.
      await this.#sql(
        `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
        'CREATE TRIGGER disk_full BEFORE UPDATE ON log_streams FOR EACH STATEMENT EXECUTE FUNCTION disk_full()',
      );
      await this.#untilSaid(/No space left/);
      await this.#sql('DROP TRIGGER disk_full ON log_streams', 'DROP FUNCTION disk_full');
      return;
    }
    const filler = join(this.#folder, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64K']);
    try {
      // It either reports that it takes nothing or, when not even its log has room, exits and is started again.
      await this.#untilSaid(/No space left|not reachable|takes nothing/);
      await sleep(this.#chaos.pause_ms / 2);
    } finally {
      rmSync(filler);
    }
  }

  /**
   * Damages one of the small files that the product needs, as a power cut may: it is repaired, or the message says how.
   */
  async #tear(): Promise<void> {
    await this.#running.kill();
    const files = [
      'running.json',
      'admin.json',
      'postgres/owner.json',
      'postgres/password',
      'postgres/initialised',
    ];
    const file = join(this.#data, files[Math.floor(this.#random() * files.length)] ?? '');
    const before = readFileSync(file);
    const how = Math.floor(this.#random() * 4);
    if (how === 0) truncateSync(file, 0);
    else if (how === 1) truncateSync(file, Math.floor(before.length / 2));
    else if (how === 2) writeFileSync(file, Buffer.alloc(before.length));
    else rmSync(file);
    if (!file.endsWith('admin.json')) return this.#start();
    // The start succeeds without it; `platen admin reset` makes a new one.
    const { code, stderr } = await platen(['admin', 'reset'], { env: { PLATEN_DATA: this.#data } });
    if (code !== 0) throw new Error(`platen admin reset ended with ${code}: ${stderr}`);
    return this.#start();
  }
}

/** Runs the chaos to its end. */
export async function storeChaos(chaos: Chaos): Promise<AfterChaos> {
  const folder = temporaryFolder('platen-chaos-');
  const hasDisk = (chaos.faults['disk-full'] ?? 0) > 0 && mountDisk(folder);
  if (hasDisk) spawnSync('chmod', ['755', folder]);
  process.stdout.write(`store chaos: seed ${chaos.seed}\n`);
  try {
    return await new ChaosRun(chaos, folder, hasDisk).run();
  } finally {
    if (hasDisk) {
      const left = readdirSync(folder).length;
      spawnSync('umount', ['-l', folder]);
      process.stdout.write(`store chaos: ${left} files on the disk that was full\n`);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
