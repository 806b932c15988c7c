/**
 * Logs: pino's JSON, or for a person at a terminal only warnings and errors as plain lines. `story.ts` reports what
 * happens in the fleet.
 */
import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import { oneLine } from '../schemas/harmless.ts';

/** Paths of possible secrets in logged objects: redacted before writing. */
const SECRET_PATHS = [
  'password',
  '*.password',
  'credentials',
  '*.credentials',
  'authorization',
  '*.authorization',
];

interface Line {
  level: number;
  time: number;
  msg?: string;
  err?: { message?: string; code?: string };
  hint?: string;
  [detail: string]: unknown;
}

/** Not shown as details: shown elsewhere in the line, or useless to a person. */
const NOT_DETAILS = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'err', 'hint', 'at']);
/** Longer details are cut. */
const DETAIL_CHARACTERS_MAX = 200;

/** The structured details of a line as `name value`, in their order. */
function details(line: Line): string {
  const shown = Object.entries(line).flatMap(([name, value]) => {
    if (NOT_DETAILS.has(name) || value === undefined || value === null || value === '') return [];
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
    const cut = text.length > DETAIL_CHARACTERS_MAX ? `${text.slice(0, DETAIL_CHARACTERS_MAX)}…` : text;
    return [`${name} ${cut}`];
  });
  return shown.length === 0 ? '' : `(${shown.join(', ')})`;
}

/** A time of day for a terminal line. */
export function clock(time_ms: number): string {
  return new Date(time_ms).toTimeString().slice(0, 8);
}

/** Formats pino's lines as plain text. */
export function readable(out: NodeJS.WritableStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      for (const text of String(chunk).split('\n')) {
        if (text === '') continue;
        const line = JSON.parse(text) as Line;
        const word =
          line.level >= pino.levels.values['error']!
            ? 'error'
            : line.level >= pino.levels.values['warn']!
              ? 'warning'
              : '';
        const parts = [
          clock(line.time),
          word,
          line.msg ?? '',
          details(line),
          line.err?.message ? `(${line.err.message})` : '',
          line.hint ?? '',
        ];
        out.write(`${oneLine(parts.filter((part) => part !== '').join('  '))}\n`);
      }
      done();
    },
  });
}

/** A logger that writes JSON to stdout, or in `story` mode readable lines of warnings and errors. */
export function createLog(mode: 'story' | 'json', level: string): Logger {
  const shown = mode === 'story' && level === 'info' ? 'warn' : level;
  const options = { level: shown, redact: { paths: SECRET_PATHS, censor: '[secret]' } };
  return mode === 'json' ? pino(options) : pino(options, readable(process.stdout));
}
