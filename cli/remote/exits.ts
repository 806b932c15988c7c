/** Exit codes of the commands that talk to a running center. They are part of the interface: scripts branch on them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notConfirmed: 3,
  notAllowed: 4,
  /** A watched campaign was halted, paused or aborted. */
  stopped: 5,
  nothingToDo: 6,
  unreachable: 7,
  /** The reader of the output has gone, as the shell reports SIGPIPE. */
  pipeClosed: 141,
} as const;

/** Ends a command with an exit code, a sentence, and what to do about it. */
export class CommandFailure extends Error {
  readonly exit: number;
  readonly hint: string | undefined;

  constructor(exit: number, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
    this.hint = hint;
  }
}

/** The exit code for an error code of the center. */
export function exitFor(code: string, status: number): number {
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (status === 503) return EXIT.unreachable;
  return /^request\/(invalid|where|unknown)/.test(code) ? EXIT.usage : EXIT.failed;
}
