/**
 * Recognises a printer by its serial numbers, as each protocol writes them, and its UUID. Pure; the learned identity is
 * plain JSON.
 */
import type { Reading, Source } from '../mapping/reading.ts';

/** The identity learned from a printer's own answers. */
export interface KnownIdentity {
  serials: Partial<Record<Source, string>>;
  uuid?: string;
  /** Name under which it announces itself by mDNS. */
  announced?: string;
  model?: string;
}

export const UNKNOWN_IDENTITY: KnownIdentity = { serials: {} };

/** `unknown`: the answer says too little. An incomplete answer without a serial number proves nothing. */
export type Verdict = 'same' | 'other' | 'unknown';

/** The identity to use with a pinned serial number: what was learned of another printer is dropped. */
export function identityFor(known: KnownIdentity, pinned: string | undefined): KnownIdentity {
  const learned = Object.values(known.serials);
  return pinned === undefined || learned.length === 0 || learned.includes(pinned) ? known : UNKNOWN_IDENTITY;
}

/** Whether an answer comes from the known printer, or from the one that `pinned` names. */
export function verdictOf(
  known: KnownIdentity,
  pinned: string | undefined,
  { identity }: Pick<Reading, 'identity'>,
): Verdict {
  const told = Object.entries(identity.serials ?? {}) as [Source, string][];
  // One protocol that identifies another printer is enough: the other's data may be from an earlier read.
  const differs = told.some(
    ([source, serial]) =>
      known.serials[source] !== undefined && serial !== known.serials[source] && serial !== pinned,
  );
  if (differs) return 'other';
  if (pinned !== undefined && told.length > 0) {
    const fits = told.some(([source, serial]) => serial === pinned || serial === known.serials[source]);
    return fits ? 'same' : 'other';
  }
  if (told.some(([source, serial]) => serial === known.serials[source])) return 'same';
  if (identity.uuid === undefined || known.uuid === undefined || told.length > 0) return 'unknown';
  return identity.uuid === known.uuid ? 'same' : 'other';
}

/** Updates the identity from an accepted answer. */
export function learn(known: KnownIdentity, { identity }: Pick<Reading, 'identity'>): KnownIdentity {
  const uuid = identity.uuid ?? known.uuid;
  const announced = identity.announced ?? known.announced;
  const model = identity.model ?? known.model;
  return {
    serials: { ...identity.serials, ...known.serials },
    ...(uuid === undefined ? {} : { uuid }),
    ...(announced === undefined ? {} : { announced }),
    ...(model === undefined ? {} : { model }),
  };
}
