/** Runs a command until it is stopped by SIGINT, SIGTERM or a closed output pipe. */
import type { Logger } from 'pino';
import { PlatenError } from '../schemas/errors.ts';

/** Contract: stopped within 10 s of SIGTERM; beyond it the process ends itself and says so. */
const STOP_MS_MAX = 9_500;
/** How long the process may linger once everything is closed. */
const EXIT_MS_MAX = 500;
/** Ctrl-C signals everybody at the terminal, and npm forwards its own signal: both count as one. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Listens for signals at once, so that one during the start is not lost. The first signal stops cleanly; a second one
 * ends the process, as Node does by default.
 */
export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    // The reader of our output has gone (`platen up
    // head`): stop, don't crash.
    process.stdout.on('error', () => resolve('SIGPIPE'));
    let first_ms: number | undefined;
    const heard = (signal: NodeJS.Signals) => {
      first_ms ??= performance.now();
      resolve(signal);
      if (performance.now() - first_ms < SAME_SIGNAL_MS) return;
      process.off('SIGINT', heard).off('SIGTERM', heard);
      process.kill(process.pid, signal);
    };
    process.on('SIGINT', heard);
    process.on('SIGTERM', heard);
  });
}

/** Ends the process when stopping takes too long; the returned function cancels that. */
function guardEnd(log: Logger): () => void {
  const guard = setTimeout(() => {
    log.fatal({ code: 'stop/late' }, `not stopped within ${STOP_MS_MAX / 1_000} s: ending now`);
    process.exit(1);
  }, STOP_MS_MAX);
  guard.unref();
  return () => clearTimeout(guard);
}

/**
 * Everything is closed. What still keeps the process alive is a timer of a library: BullMQ's worker, for one, sleeps 5
 * s after it lost its Redis, and nothing wakes it.
 */
function tellStopped(log: Logger): void {
  log.info('stopped');
  setTimeout(() => process.exit(), EXIT_MS_MAX).unref();
}

/** Opens the parts, unless a signal comes first: then the start is aborted and what was opened is closed again. */
export async function openUnlessStopped<T>(
  stopped: Promise<string>,
  log: Logger,
  open: (stop: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stopping = new AbortController();
  let opening = true;
  let callOff = () => {};
  void stopped.then((signal) => {
    if (!opening) return;
    log.info({ signal }, 'stopping');
    callOff = guardEnd(log);
    stopping.abort(new PlatenError('start/stopped'));
  });
  try {
    return await open(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
    tellStopped(log);
    return undefined;
  } finally {
    opening = false;
    callOff();
  }
}

/** Runs `close`, and ends the process when it takes too long. */
export async function stopInTime(signal: string, log: Logger, close: () => Promise<void>): Promise<void> {
  log.info({ signal }, 'stopping');
  const callOff = guardEnd(log);
  await close();
  callOff();
  tellStopped(log);
}
