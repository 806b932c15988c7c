/** `platen up` as a process that a test watches while it starts, even when the start cannot succeed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './ear.ts';
import { WITH_TYPES } from './run/with-types.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Starting {
  process: ChildProcess;
  /** Its output so far. */
  text(): string;
  /** Resolves when it is ready (true) or has ended (false). */
  ready(): Promise<boolean>;
  /** Its exit code; null when the signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface StartingOptions {
  data: string;
  env?: Record<string, string>;
  /** The user to run as, when root runs the tests. */
  user?: { uid: number; gid: number } | undefined;
}

/** Starts the product without waiting for it; it creates its own database. */
export function starting({ data, env, user }: StartingOptions): Starting {
  const child = spawn(process.execPath, [...WITH_TYPES, join(ROOT, 'cli/platen.ts'), 'up', '--log', 'json'], {
    ...user,
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PLATEN_DATA: data,
      PLATEN_MQTT_PORT: '0',
      PLATEN_HTTP_PORT: '0',
      PLATEN_DEMO: '0',
      ...env,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  let over = false;
  const ended = new Promise<number | null>((resolve) =>
    child.once('close', (code) => {
      over = true;
      resolve(code);
    }),
  );
  const isReady = () => text.includes('"msg":"ready"');
  return {
    process: child,
    text: () => text,
    ready: async () => {
      await eventually(() => over || isReady(), 'it is ready or has ended');
      return isReady();
    },
    end: async (signal) => {
      if (signal) child.kill(signal);
      return ended;
    },
  };
}
