/**
 * The life of a command that serves until it is told to stop: SIGINT, SIGTERM, or a reader of its output that left.
 */
import type { Logger } from 'pino';

/** Contract: stopped within 10 s of SIGTERM; beyond it the process ends itself and says so. */
const STOP_MS_MAX = 9_500;
/** Ctrl-C reaches everybody at the terminal, and npm hands on what it got: that is one signal, told twice. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Begins to listen for the end, at once: a signal that comes while the parts open is not lost. The first signal stops
 * cleanly; a second one ends the process, as Node does by default.
 */
export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    // Whoever read our output has gone (`platen up | head`): that is a stop, not a crash.
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

/** Runs `close`, and ends the process when it takes too long. */
export async function stopInTime(signal: string, log: Logger, close: () => Promise<void>): Promise<void> {
  log.info({ signal }, 'stopping');
  const guard = setTimeout(() => {
    log.fatal({ code: 'stop/late' }, `not stopped within ${STOP_MS_MAX / 1_000} s: ending now`);
    process.exit(1);
  }, STOP_MS_MAX);
  guard.unref();
  await close();
  clearTimeout(guard);
  log.info('stopped');
}
