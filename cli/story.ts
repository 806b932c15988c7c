/** The fleet events shown to a person at the terminal, as sentences. Many similar events become one line. */
import { oneLine } from '../schemas/harmless.ts';
import type { FleetEvent } from '../schemas/types.ts';
import { clock } from './log.ts';

/** Connections and compatible verdicts are collected for this long and shown as one line. */
const GATHER_MS = 1_000;
/** Names in a combined line; the rest is a count. */
const NAMES_MAX = 6;

interface Gathered {
  printers: Set<string>;
  sentence(names: string, count: number): string;
}

function text(value: unknown): string {
  return typeof value === 'string' ? oneLine(value) : '';
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** At most a few names. */
function names(printers: ReadonlySet<string>): string {
  const all = [...printers];
  return all.length <= NAMES_MAX
    ? all.join(', ')
    : `${all.slice(0, NAMES_MAX - 1).join(', ')} and ${all.length - NAMES_MAX + 1} more`;
}

export class Story {
  readonly #out: NodeJS.WritableStream;
  readonly #gathered = new Map<string, Gathered>();
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  /** Writes one line now. */
  say(line: string): void {
    this.#out.write(`${clock(Date.now())}  ${line}\n`);
  }

  /** Takes a fleet event. */
  readonly hear = (event: FleetEvent): void => {
    const { kind, what, printer = '' } = event;
    const data = (event.data ?? {}) as Record<string, unknown>;
    switch (kind) {
      case 'presence':
        this.#gather(`presence ${what}`, printer, (list, count) =>
          what === 'online'
            ? `${plural(count, 'printer')} connected: ${list}`
            : `${plural(count, 'printer')} gone: ${list}`,
        );
        return;
      case 'structure':
        if (what === 'change') this.say(`${printer}  has a new structure`);
        return;
      case 'verdict':
        if (what === 'compatible') {
          this.#gather(
            'verdict compatible',
            printer,
            (list, count) => `${plural(count, 'printer')} ${count === 1 ? 'fits' : 'fit'} together: ${list}`,
          );
          return;
        }
        this.say(
          `${printer}  ${what === 'incompatible' ? 'does not fit' : 'cannot be judged'}: ${text(data['first'])}${this.#remedy(data['remedy'])}`,
        );
        return;
      case 'trouble':
        this.say(
          `${printer || 'the fleet'}  trouble ${what}: ${text(data['title']) || text(data['rule'])}${data['unit'] ? ` (${text(data['unit'])})` : ''}`,
        );
        return;
      case 'order':
        this.#order(printer, what, data);
        return;
      case 'campaign':
        this.say(
          `${(data['cause'] as { kind?: string } | undefined)?.kind === 'verdict' ? 'correction' : 'campaign'} ${text(data['campaign'])}  ${text(data['title']) ? `${text(data['title'])}: ` : ''}${what}${data['reason'] ? `: ${text(data['reason'])}` : ''}`,
        );
        return;
      case 'security':
        this.say(`security  ${what}${this.#whom(printer, data)}`);
    }
  };

  /** Who was refused, from where, and why. A name that was only claimed is shown as such. */
  #whom(printer: string, data: Record<string, unknown>): string {
    const { name, claimed, clientId, address, topic, untold } = data;
    const parts = [
      printer || text(name) || (text(claimed) && `as "${text(claimed)}"`) || text(clientId),
      text(address) && `from ${text(address)}`,
      text(topic) && `for ${text(topic)}`,
      typeof untold === 'number' ? `${untold} more were not shown` : '',
    ];
    const shown = parts.filter((part) => part !== '').join(', ');
    return shown === '' ? '' : ` (${shown})`;
  }

  #remedy(remedy: unknown): string {
    const { software = [], structure = [] } = (remedy ?? {}) as {
      software?: { subject: string; from?: string; to: string }[];
      structure?: { symbol: string; replace?: string; with?: string; switchTo?: string }[];
    };
    const parts = [
      ...software.map(({ subject, from, to }) => `${subject} ${from ?? '?'} → ${to}`),
      ...structure.map((unit) =>
        unit.switchTo === undefined
          ? `${unit.symbol}: replace ${unit.replace ?? 'nothing'} with ${unit.with ?? 'nothing'}`
          : `switch ${unit.symbol} to ${unit.switchTo}`,
      ),
    ];
    return parts.length === 0 ? '' : `\n          fits: ${parts.join(', ')}`;
  }

  #order(printer: string, what: string, data: Record<string, unknown>): void {
    const detail = text(data['detail']) || text(data['reason']);
    // Progress reports repeat a state; only the first one is shown.
    const line = `${what} ${detail}`;
    if (this.#told.get(printer) === line) return;
    this.#told.set(printer, line);
    this.say(`${printer}  update ${what}${detail ? `: ${detail}` : ''}`);
  }

  #gather(key: string, printer: string, sentence: Gathered['sentence']): void {
    const gathered = this.#gathered.get(key) ?? { printers: new Set<string>(), sentence };
    gathered.printers.add(printer);
    this.#gathered.set(key, gathered);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS).unref();
  }

  #flush(): void {
    this.#timer = undefined;
    for (const { printers, sentence } of this.#gathered.values())
      this.say(sentence(names(printers), printers.size));
    this.#gathered.clear();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#flush();
  }
}
