/** Processes of a benchmark: started, controlled by lines on stdin and stdout, their CPU time read from /proc. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TICKS_PER_S = 100;
const TSX = fileURLToPath(import.meta.resolve('tsx'));

export interface LineProcess {
  readonly process: ChildProcess;
  /** The next line it prints. */
  line(): Promise<string>;
  say(text: string): void;
  stop(): Promise<void>;
}

/** Starts one of our own TypeScript files. */
export function startScript(file: URL, args: string[] = []): LineProcess {
  const child = spawn(process.execPath, ['--import', TSX, fileURLToPath(file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    process: child,
    async line() {
      const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
      if (done || value === undefined) throw new Error(`${file.pathname} ended early`);
      return value;
    },
    say: (text) => void child.stdin.write(`${text}\n`),
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

interface Times {
  pid: number;
  parent: number;
  /** CPU time of the process and of its children that have ended. */
  cpu_s: number;
}

function timesOf(pid: number): Times | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const cpu = [11, 12, 13, 14].reduce((sum, index) => sum + (fields[index] as number), 0);
    return { pid, parent: fields[1] as number, cpu_s: cpu / TICKS_PER_S };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** CPU seconds of these processes and all their descendants. */
export function cpuSeconds(roots: number[]): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => timesOf(Number(name)))
    .filter((times) => times !== undefined);
  const wanted = new Set(roots);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of all) {
      if (!wanted.has(pid) && wanted.has(parent)) {
        wanted.add(pid);
        grown = true;
      }
    }
  }
  return all.filter(({ pid }) => wanted.has(pid)).reduce((sum, { cpu_s }) => sum + cpu_s, 0);
}
