/**
 * When the signatures of a repository expire, and when to announce that. An expired role stops all updates: every agent
 * answers `update/trust-expired`. Pure.
 */
const DAY_MS = 86_400_000;

export interface RoleExpiry {
  role: string;
  version: number;
  expiresMs: number;
}

/** Days before the expiry at which it is announced; 0: it has expired. */
export const TOLD_DAYS = [30, 7, 1, 0] as const;
/** Roles that are signed every few days are announced only when that has stopped. */
const FIRST_TOLD_DAYS: Record<string, number> = { timestamp: 1, snapshot: 7 };

/** The mark that a role has passed: the smallest of `TOLD_DAYS` not below its remaining days; undefined for none. */
export function markOf({ role, expiresMs }: RoleExpiry, nowMs: number): number | undefined {
  const first = FIRST_TOLD_DAYS[role] ?? TOLD_DAYS[0];
  return TOLD_DAYS.filter((days) => days <= first && expiresMs - nowMs <= days * DAY_MS).at(-1);
}

/** What was announced of each role: its version and mark. */
export type AnnouncedExpiries = ReadonlyMap<string, { version: number; mark: number }>;

export interface ExpiryNews {
  role: string;
  version: number;
  expires: string;
  /** Whole days left; 0 when it has expired. */
  days: number;
}

/** What to announce now, and what has been announced afterwards. */
export function expiryNews(
  expiries: readonly RoleExpiry[],
  announced: AnnouncedExpiries,
  nowMs: number,
): { news: ExpiryNews[]; announced: AnnouncedExpiries } {
  const news: ExpiryNews[] = [];
  const next = new Map<string, { version: number; mark: number }>();
  for (const expiry of expiries) {
    const { role, version, expiresMs } = expiry;
    const mark = markOf(expiry, nowMs);
    if (mark === undefined) continue;
    next.set(role, { version, mark });
    const before = announced.get(role);
    if (before?.version === version && before.mark <= mark) continue;
    const days = Math.max(0, Math.floor((expiresMs - nowMs) / DAY_MS));
    news.push({ role, version, expires: new Date(expiresMs).toISOString(), days });
  }
  return { news, announced: next };
}

/** What an operator should know and do, in a sentence; undefined while nothing is close to expiry. */
export function expiryFault(expiries: readonly RoleExpiry[], nowMs: number): string | undefined {
  const near = expiries.filter((expiry) => markOf(expiry, nowMs) !== undefined);
  if (near.length === 0) return undefined;
  const words = near.map(({ role, expiresMs }) => {
    const at = new Date(expiresMs).toISOString();
    return expiresMs <= nowMs
      ? `the signature of ${role} expired at ${at}: no printer takes an order any more`
      : `the signature of ${role} expires at ${at}`;
  });
  return `${words.join('; ')} (platen release renew, sign, publish)`;
}
