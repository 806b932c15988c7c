/** Rows of `printers`: the columns that are read, and their names outside the store. */
import type { Verdict } from '../../schemas/types.ts';

/** Whether a printer takes part. Printers that don't are listed, but neither counted nor updated. */
export type Standing = 'active' | 'retired' | 'revoked';

export interface PrinterRow {
  id: string;
  online: boolean;
  session?: string;
  presenceAt?: string;
  lastSeen?: string;
  model?: string;
  serial?: string;
  site?: string;
  labels: Record<string, string>;
  timezone?: string;
  verdict?: Verdict['status'];
  openTroubles: number;
  standing: Standing;
  standingAt?: string;
  standingReason?: string;
  /** The agent's last report on the device; agents inside a printer send none. */
  device?: 'reachable' | 'unreachable';
  deviceAt?: string;
}

/** A row of `printers` as the database returns it. */
export interface Row {
  id: string;
  online: boolean;
  session: string | null;
  presence_at: Date | null;
  last_seen: Date | null;
  model: string | null;
  serial: string | null;
  site: string | null;
  labels: Record<string, string>;
  timezone: string | null;
  verdict: Verdict['status'] | null;
  open_troubles: number;
  standing: Standing;
  standing_at: Date | null;
  standing_reason: string | null;
  device: 'reachable' | 'unreachable' | null;
  device_at: Date | null;
}

export const PRINTER_COLUMNS = `p.id, p.online, p.session, p.presence_at, p.last_seen, p.model, p.serial, p.site, p.labels,
  p.timezone, p.verdict, p.open_troubles, p.standing, p.standing_at, p.standing_reason, p.device, p.device_at`;

export function fromRow(row: Row): PrinterRow {
  return {
    id: row.id,
    online: row.online,
    labels: row.labels,
    openTroubles: row.open_troubles,
    standing: row.standing,
    ...(row.standing_at === null ? {} : { standingAt: row.standing_at.toISOString() }),
    ...(row.standing_reason === null ? {} : { standingReason: row.standing_reason }),
    ...(row.device === null ? {} : { device: row.device }),
    ...(row.device_at === null ? {} : { deviceAt: row.device_at.toISOString() }),
    ...(row.session === null ? {} : { session: row.session }),
    ...(row.presence_at === null ? {} : { presenceAt: row.presence_at.toISOString() }),
    ...(row.last_seen === null ? {} : { lastSeen: row.last_seen.toISOString() }),
    ...(row.model === null ? {} : { model: row.model }),
    ...(row.serial === null ? {} : { serial: row.serial }),
    ...(row.site === null ? {} : { site: row.site }),
    ...(row.timezone === null ? {} : { timezone: row.timezone }),
    ...(row.verdict === null ? {} : { verdict: row.verdict }),
  };
}
