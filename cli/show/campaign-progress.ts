/** The progress of a campaign: one line that is drawn anew in a terminal, a line for each change elsewhere. */
import { oneLine } from '../../schemas/harmless.ts';
import type { Row } from '../remote/door.ts';
import { cut } from './table.ts';

const BAR_CHARACTERS = 24;

/** A campaign's progress in one line. Pure. */
export function progressLine(campaign: Row): string {
  const counts = (campaign['counts'] ?? {}) as Record<string, number>;
  const { waiting = 0, ...rest } = counts;
  const targets = Number(campaign['targets'] ?? 0);
  const done = counts['proven'] ?? 0;
  const share = targets > 0 ? done / targets : 0;
  const filled = Math.round(share * BAR_CHARACTERS);
  const bar = `${'#'.repeat(filled)}${'.'.repeat(BAR_CHARACTERS - filled)}`;
  const parts = Object.entries(rest).map(([state, count]) => `${count} ${state}`);
  const guard = (campaign['guard'] ?? {}) as Row;
  const all = [...(waiting > 0 ? [`${waiting} waiting`] : []), ...parts].join(', ');
  return `[${bar}] ${Math.floor(share * 100)} %  ${campaign['state']}${guard['stage'] ? ` (${guard['stage']})` : ''}: ${all}`;
}

export class CampaignProgress {
  readonly #stream: NodeJS.WriteStream;
  #last = '';
  #drawn = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(campaign: Row): void {
    this.note(progressLine(campaign));
  }

  note(text: string): void {
    const line = oneLine(text);
    if (line === this.#last) return;
    this.#last = line;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001b[2K${cut(line, (this.#stream.columns || 80) - 1)}`);
      this.#drawn = true;
    } else this.#stream.write(`${line}\n`);
  }

  /** Leaves the last line standing. */
  end(): void {
    if (this.#drawn) this.#stream.write('\n');
    this.#drawn = false;
    this.#last = '';
  }
}
