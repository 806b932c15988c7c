/** The product as a real process for tests: on free ports, with its own data folder, ended by its process id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { OperatorClient, readCredentials } from '../../cli/operator-client.ts';
import { temporaryFolder } from './folder.ts';
import { prepareDatabase } from './prepared.ts';
import { WITH_TYPES } from './run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const READY_MS_MAX = 90_000;

/** A line of pino's JSON. */
export interface LogLine {
  level: number;
  msg?: string;
  [field: string]: unknown;
}

export interface ProductOptions {
  /** A data folder that is kept; by default a temporary one is made, which `stop` removes. */
  data?: string;
  /** Arguments of `platen`; default `up`. */
  args?: string[];
  env?: Record<string, string>;
  /** Let the first start create the database, as for a user; by default a prepared one is copied there. */
  firstStart?: boolean;
}

export interface RunningProduct {
  readonly data: string;
  readonly mqtt: string;
  readonly http: string;
  readonly webSocket: string;
  readonly process: ChildProcess;
  /** All lines logged so far. */
  readonly log: LogLine[];
  readonly admin: { username: string; password: string };
  /** Connects as the administrator; closed by `stop`. */
  operator(): Promise<OperatorClient>;
  /** SIGTERM; resolves to the exit code. Removes the data folder unless it was passed in. */
  stop(): Promise<number | null>;
  /** SIGKILL to the process alone: its Postgres stays behind, as after a real crash. */
  kill(): Promise<void>;
}

/** Runs a command to its end. */
export function platen(
  args: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...WITH_TYPES, join(ROOT, 'cli/platen.ts'), ...args], {
      cwd: ROOT,
      env: { ...process.env, ...options.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(options.input ?? '');
  });
}

/** Starts the product and waits until it is ready. */
export async function startProduct(options: ProductOptions = {}): Promise<RunningProduct> {
  const data = options.data ?? join(temporaryFolder('platen-'), 'data');
  const [command] = options.args ?? ['up'];
  const embedded = options.env?.['PLATEN_DATABASE_URL'] === undefined && command !== 'broker';
  if (embedded && !options.firstStart) await prepareDatabase(data);
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=64',
      '--min-semi-space-size=64',
      ...WITH_TYPES,
      join(ROOT, 'cli/platen.ts'),
      ...(options.args ?? ['up']),
      '--log',
      'json',
    ],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        PLATEN_MQTT_PORT: '0',
        PLATEN_HTTP_PORT: '0',
        PLATEN_DATA: data,
        PLATEN_DEMO: '0',
        ...options.env,
      },
    },
  );
  const log: LogLine[] = [];
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const ready = await new Promise<LogLine>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(
        new Error(`the product was not ready within ${READY_MS_MAX} ms: ${JSON.stringify(log)} ${stderr}`),
      );
    }, READY_MS_MAX);
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (!text.startsWith('{')) return;
      const line = JSON.parse(text) as LogLine;
      log.push(line);
      if (line.msg === 'ready' || line.msg?.startsWith('ready ')) {
        clearTimeout(timer);
        resolve(line);
      }
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the product ended with ${code}: ${stderr} ${JSON.stringify(log.slice(-5))}`));
    });
  });
  const operators: OperatorClient[] = [];
  // `platen broker` logs the addresses at the top level.
  const addresses = (ready['addresses'] ?? ready) as Record<string, unknown>;
  const mqtt = String(addresses['mqtt']);
  const admin = readCredentials(join(data, 'admin.json'));
  const forget = () => {
    if (options.data === undefined) rmSync(join(data, '..'), { recursive: true, force: true });
  };
  return {
    data,
    mqtt,
    http: String(addresses['http']),
    webSocket: String(addresses['webSocket']),
    process: child,
    log,
    admin,
    async operator() {
      const operator = await OperatorClient.connect({ url: mqtt, ...admin });
      operators.push(operator);
      return operator;
    },
    async stop() {
      await Promise.all(operators.map((operator) => operator.close()));
      child.kill('SIGTERM');
      const code = await exited;
      // A test that expects 0 then shows why it failed.
      if (code !== 0) {
        process.stderr.write(`the product ended with ${code}: ${stderr} ${JSON.stringify(log.slice(-5))}\n`);
      }
      forget();
      return code;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
