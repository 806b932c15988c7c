/**
 * The evidence about releases in Postgres, read and written in the transaction of a look at a campaign.
 */
import type { Query } from '../orders/execution-store.ts';
import { exposeRelease, feedRelease, goodOf, newEvidence, type ReleaseEvidence } from './release-ledger.ts';

/** The evidence of some releases in one transaction. Changes are collected and written together. */
export class LedgerEdit {
  readonly #evidence: Map<string, ReleaseEvidence>;
  /** Number of the exposure by `release execution`. */
  readonly #numbers: Map<string, number>;
  readonly #changed = new Set<string>();
  readonly #exposed: { release: string; execution: string; number: number }[] = [];
  readonly #ended = new Set<string>();

  private constructor(evidence: Map<string, ReleaseEvidence>, numbers: Map<string, number>) {
    this.#evidence = evidence;
    this.#numbers = numbers;
  }

  /** Reads the evidence and locks it until the transaction ends. */
  static async open(
    query: Query,
    releases: readonly string[],
    executions: readonly string[],
  ): Promise<LedgerEdit> {
    // Always lock in the same order, so that two looks never deadlock.
    const names = [...new Set(releases)].sort();
    await query(
      `INSERT INTO release_evidence (release, record) SELECT r, $2 FROM unnest($1::text[]) r ORDER BY r
       ON CONFLICT DO NOTHING`,
      [names, JSON.stringify(newEvidence())],
    );
    const rows = await query<{ release: string; record: ReleaseEvidence }>(
      'SELECT release, record FROM release_evidence WHERE release = ANY($1) ORDER BY release FOR UPDATE',
      [names],
    );
    const numbers = await query<{ release: string; execution: string; number: number }>(
      'SELECT release, execution, number::int FROM release_exposures WHERE execution = ANY($1)',
      [executions],
    );
    return new LedgerEdit(
      new Map(rows.map(({ release, record }) => [release, record])),
      new Map(numbers.map(({ release, execution, number }) => [`${release} ${execution}`, number])),
    );
  }

  /** An order started to install these releases. */
  expose(releases: readonly string[], execution: string): void {
    for (const release of releases) {
      const known = this.#evidence.get(release);
      if (!known || this.#numbers.has(`${release} ${execution}`)) continue;
      const { evidence, number } = exposeRelease(known);
      this.#evidence.set(release, evidence);
      this.#numbers.set(`${release} ${execution}`, number);
      this.#exposed.push({ release, execution, number });
      this.#changed.add(release);
    }
  }

  /** An order ended. `blamed` are the releases that failed; false: none; null: inconclusive. */
  feed(releases: readonly string[], execution: string, blamed: readonly string[] | false | null): void {
    for (const release of releases) {
      const number = this.#numbers.get(`${release} ${execution}`);
      const known = this.#evidence.get(release);
      if (!known || number === undefined) continue;
      const failed = blamed === null ? null : blamed !== false && blamed.includes(release);
      this.#evidence.set(release, feedRelease(known, number, failed));
      this.#changed.add(release);
      this.#ended.add(execution);
    }
  }

  /** Releases whose evidence changed. */
  changed(): { release: string; evidence: ReleaseEvidence }[] {
    return [...this.#changed].map((release) => ({
      release,
      evidence: this.#evidence.get(release) as ReleaseEvidence,
    }));
  }

  async write(query: Query): Promise<void> {
    if (this.#changed.size === 0) return;
    const changed = this.changed();
    await query(
      `UPDATE release_evidence e SET record = n.record FROM unnest($1::text[], $2::jsonb[]) AS n(release, record)
       WHERE e.release = n.release`,
      [changed.map(({ release }) => release), changed.map(({ evidence }) => JSON.stringify(evidence))],
    );
    await query(
      `INSERT INTO release_exposures (release, execution, number)
       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING`,
      [
        this.#exposed.map((each) => each.release),
        this.#exposed.map((each) => each.execution),
        this.#exposed.map((each) => each.number),
      ],
    );
    await query('DELETE FROM release_exposures WHERE execution = ANY($1)', [[...this.#ended]]);
  }
}

/** Number of printers on which each release was proven. */
export async function provenOn(query: Query, releases: readonly string[]): Promise<Map<string, number>> {
  const rows = await query<{ release: string; record: ReleaseEvidence }>(
    'SELECT release, record FROM release_evidence WHERE release = ANY($1)',
    [releases],
  );
  return new Map(rows.map(({ release, record }) => [release, goodOf(record)]));
}

/** Drops the evidence about releases after a person lifted their stop. */
export async function forgetEvidence(query: Query, releases: readonly string[]): Promise<void> {
  await query('DELETE FROM release_evidence WHERE release = ANY($1)', [releases]);
  await query('DELETE FROM release_exposures WHERE release = ANY($1)', [releases]);
}
