/** Colours of a terminal, off where NO_COLOR is set (no-color.org) or nobody looks. */
import { styleText } from 'node:util';

export type Paint = (word: string) => string;

const STATES: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  online: 'green',
  compatible: 'green',
  proven: 'green',
  finished: 'green',
  cured: 'green',
  cleared: 'green',
  ok: 'green',
  running: 'cyan',
  proposed: 'cyan',
  offline: 'dim',
  none: 'dim',
  closed: 'dim',
  unknown: 'yellow',
  paused: 'yellow',
  minor: 'yellow',
  warning: 'yellow',
  low: 'yellow',
  waiting: 'yellow',
  incompatible: 'red',
  halted: 'red',
  aborted: 'red',
  failed: 'red',
  'rolled-back': 'red',
  critical: 'red',
  fatal: 'red',
  major: 'red',
  error: 'red',
  empty: 'red',
  open: 'red',
};

export function wantsColor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false;
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

/** Colours a state by what it means; other words stay as they are. */
export function painter(on: boolean): Paint {
  return (word) => {
    const style = Object.hasOwn(STATES, word) ? STATES[word] : undefined;
    return on && style !== undefined ? styleText(style, word, { validateStream: false }) : word;
  };
}
