/**
 * The process behind a command driver: starts it, restarts it, exchanges JSON lines with it, and ends it with the
 * agent.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Logger } from 'pino';
import { DRIVER_LIMITS } from '../limits.ts';

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: Error): void;
  progress: ((share: number) => void) | undefined;
  timer: ReturnType<typeof setTimeout>;
}

export interface CommandProcessOptions {
  run: string[];
  log: Logger;
  restartMs: number;
  /** The program runs: time to greet it. */
  started(): Promise<void>;
  /** A line that is not an answer: an event. */
  told(message: Record<string, unknown>): void;
}

/** Grace periods after closing stdin, and after SIGTERM. */
const END_MS = 2_000;
/** Requests that wait; a program that answers none is stuck. */
const WAITING_MAX = 64;

export class CommandProcess {
  private readonly options: CommandProcessOptions;
  private child: ChildProcessWithoutNullStreams | undefined;
  private readonly waiting = new Map<number, PendingCall>();
  private nextId = 1;
  private stopped = true;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private greeted: Promise<void> = Promise.resolve();
  private restartMs: number;

  constructor(options: CommandProcessOptions) {
    this.options = options;
    this.restartMs = options.restartMs;
  }

  start(): void {
    this.stopped = false;
    this.spawn();
  }

  /** The program answered `hello`: resets the count of failures. */
  ready(): void {
    this.restartMs = this.options.restartMs;
  }

  private spawn(): void {
    const [program = '', ...args] = this.options.run;
    const child = spawn(program, args, { stdio: 'pipe' });
    this.child = child;
    let text = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.line(text.slice(0, end));
        text = text.slice(end + 1);
      }
      if (text.length > DRIVER_LIMITS.commandLineBytesMax) {
        this.options.log.warn(
          { program, limit: DRIVER_LIMITS.commandLineBytesMax },
          'the driver program writes a line without end; it is ended',
        );
        text = '';
        child.kill('SIGKILL');
      }
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk: string) =>
      this.options.log.info({ program, stderr: chunk.slice(0, 2_000).trimEnd() }, 'the driver program says'),
    );
    // The program may have just exited; that is handled below.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => this.ended(child, error.message));
    child.on('close', (code, signal) => this.ended(child, `it ended with ${signal ?? code}`));
    this.greeted = this.options.started();
  }

  private ended(child: ChildProcessWithoutNullStreams, reason: string): void {
    if (this.child !== child) return;
    this.child = undefined;
    for (const [id, { reject, timer }] of this.waiting) {
      clearTimeout(timer);
      this.waiting.delete(id);
      reject(new Error(reason));
    }
    if (this.stopped) return;
    this.options.log.warn(
      { program: this.options.run[0], reason, againInMs: this.restartMs },
      'the driver program ended',
    );
    this.timer = setTimeout(() => this.spawn(), this.restartMs);
    this.timer.unref();
    this.restartMs = Math.min(this.restartMs * 2, DRIVER_LIMITS.backOffMaxMs);
  }

  private line(line: string): void {
    if (line.trim() === '') return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.options.log.warn({ line: line.slice(0, 200) }, 'a line of the driver program is no JSON');
      return;
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) return;
    const { id, result, error, progress, event } = message as Record<string, unknown>;
    if (event !== undefined) {
      this.options.told(message as Record<string, unknown>);
      return;
    }
    const waiting = typeof id === 'number' ? this.waiting.get(id) : undefined;
    if (!waiting || typeof id !== 'number') return;
    if (typeof progress === 'number') {
      waiting.progress?.(Math.min(1, Math.max(0, progress)));
      return;
    }
    clearTimeout(waiting.timer);
    this.waiting.delete(id);
    if (error === undefined || error === null) waiting.resolve(result);
    else {
      const { message: said } = error as { message?: unknown };
      waiting.reject(new Error(typeof said === 'string' ? said : JSON.stringify(error)));
    }
  }

  /** Sends a request. All but `hello` wait until `hello` is answered. */
  async request(
    method: string,
    params: object,
    ms: number,
    progress?: (share: number) => void,
  ): Promise<unknown> {
    if (method !== 'hello') await this.greeted;
    const { child } = this;
    if (!child) throw new Error('the program does not run');
    if (this.waiting.size >= WAITING_MAX)
      throw new Error(`${WAITING_MAX} requests wait for the program already`);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error(`no answer within ${ms} ms`));
      }, ms);
      this.waiting.set(id, { resolve, reject, progress, timer });
      child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  /** Closes its stdin, then sends SIGTERM, then kills it. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    const term = setTimeout(() => child.kill('SIGTERM'), END_MS);
    const kill = setTimeout(() => child.kill('SIGKILL'), 2 * END_MS);
    await gone;
    clearTimeout(term);
    clearTimeout(kill);
  }
}
