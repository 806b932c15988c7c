/** The statement that writes the changes of many printers, and its values. */
import { configurationOf } from '../../compatibility/index.ts';
import type { Structure } from '../../schemas/types.ts';
import { jsonArray, jsonbArray, numberArray, textArray } from '../database/sql-arrays.ts';
import type { HistoryEntry, PrinterChange } from './printer-states.ts';
import { storableJson, storableText, storableTime } from './storable.ts';

/**
 * All parts of one statement see the tables as they were before it. So `filled` finds the structure that is being
 * replaced, and no row may be changed by two parts.
 */
export const WRITE_PRINTERS = {
  name: 'platen-write-printers',
  text: `WITH given AS (
      SELECT * FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::text[], $5::timestamptz[], $6::boolean[],
                           $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::text[], $12::text[], $39::text[],
                           $44::text[])
        AS g (id, fresh, online, session, at, seen, model, serial, site, labels, timezone, verdict, device,
              configuration)),
    made AS (
      INSERT INTO printers (id, online, session, presence_at, last_seen, model, serial, site, labels, timezone, verdict,
                            device, device_at, configuration)
      SELECT id, coalesce(online, false), session, at, CASE WHEN seen THEN $13::timestamptz END, model, serial, site,
             coalesce(labels, '{}'), timezone, verdict, device, CASE WHEN device IS NOT NULL THEN $13::timestamptz END, configuration
      FROM given WHERE fresh
      -- Enrolled at this very moment: there is nothing else in its row yet.
      ON CONFLICT (id) DO UPDATE SET online = excluded.online, session = excluded.session,
        presence_at = excluded.presence_at, last_seen = excluded.last_seen, model = excluded.model,
        serial = excluded.serial, site = excluded.site, labels = excluded.labels, timezone = excluded.timezone,
        verdict = excluded.verdict, device = excluded.device, device_at = excluded.device_at, configuration = excluded.configuration),
    changed AS (
      UPDATE printers p SET
        online = coalesce(g.online, p.online),
        session = CASE WHEN g.online IS NULL THEN p.session ELSE g.session END,
        presence_at = CASE WHEN g.online IS NULL THEN p.presence_at ELSE g.at END,
        device = CASE WHEN g.online IS NULL THEN p.device ELSE g.device END,
        device_at = CASE WHEN g.online IS NULL OR g.device IS NOT DISTINCT FROM p.device THEN p.device_at
                         ELSE $13::timestamptz END,
        last_seen = CASE WHEN g.seen THEN $13::timestamptz ELSE p.last_seen END,
        model = coalesce(g.model, p.model),
        serial = CASE WHEN g.model IS NULL THEN p.serial ELSE g.serial END,
        site = CASE WHEN g.model IS NULL THEN p.site ELSE g.site END,
        -- What operators set stands over what the printer reports.
        labels = coalesce(g.labels || p.set_labels, p.labels),
        configuration = coalesce(g.configuration, p.configuration),
        timezone = CASE WHEN g.model IS NULL THEN p.timezone ELSE g.timezone END,
        verdict = coalesce(g.verdict, p.verdict)
      FROM given g WHERE p.id = g.id AND NOT g.fresh),
    -- The tables are seen as they were, so what was there before is still there to be compared with.
    came AS (
      INSERT INTO presence_history (printer, at, online)
      SELECT g.id, $13::timestamptz, g.online FROM given g LEFT JOIN printers p ON p.id = g.id
      WHERE g.online IS NOT NULL AND g.online <> coalesce(p.online, false)),
    judged AS (
      SELECT * FROM unnest($33::text[], $34::text[], $35::int8[], $36::text[], $37::text[], $38::json[])
        AS u (printer, session, revision, catalog, status, document)),
    restated AS (
      INSERT INTO verdict_history (printer, at, status, previous, catalog, session, revision)
      SELECT u.printer, $13::timestamptz, u.status, v.status, u.catalog, u.session, u.revision
      FROM judged u LEFT JOIN verdicts v ON v.printer = u.printer WHERE v.status IS DISTINCT FROM u.status),
    filled AS (
      UPDATE structure_history h SET document = s.document FROM structures s
      WHERE s.printer = ANY($14::text[]) AND h.printer = s.printer AND h.document IS NULL),
    shown AS (
      INSERT INTO structures (printer, session, previous_session, revision, at, received, signature, document)
      SELECT u.printer, u.session, u.previous, u.revision, u.at, $13::timestamptz, u.signature, u.document
      FROM unnest($15::text[], $16::text[], $17::text[], $18::int8[], $19::timestamptz[], $20::text[], $21::json[])
        AS u (printer, session, previous, revision, at, signature, document)
      ON CONFLICT (printer) DO UPDATE SET session = excluded.session, previous_session = excluded.previous_session,
        revision = excluded.revision, at = excluded.at, received = excluded.received,
        signature = excluded.signature, document = excluded.document),
    remembered AS (
      INSERT INTO structure_history (printer, session, revision, at, received, signature, changes, document)
      SELECT u.printer, u.session, u.revision, u.at, $13::timestamptz, u.signature, u.changes, u.document
      FROM unnest($22::text[], $23::text[], $24::int8[], $25::timestamptz[], $26::text[], $27::jsonb[], $28::json[])
        AS u (printer, session, revision, at, signature, changes, document)),
    software AS (
      SELECT * FROM unnest($29::text[], $30::text[], $31::text[], $32::text[])
        AS u (printer, subject, software, version)),
    removed AS (
      DELETE FROM installed_software i WHERE i.printer = ANY($14::text[])
        AND NOT EXISTS (SELECT 1 FROM software s WHERE s.printer = i.printer AND s.subject = i.subject)),
    installed AS (
      INSERT INTO installed_software (printer, subject, software, version) SELECT * FROM software
      ON CONFLICT (printer, subject) DO UPDATE SET software = excluded.software, version = excluded.version),
    units AS (
      SELECT * FROM unnest($40::text[], $41::text[], $42::text[], $43::text[]) AS u (printer, symbol, model, serial)),
    dismounted AS (
      DELETE FROM printer_units i WHERE i.printer = ANY($14::text[])
        AND NOT EXISTS (SELECT 1 FROM units u WHERE u.printer = i.printer AND u.symbol = i.symbol)),
    mounted AS (
      INSERT INTO printer_units AS i (printer, symbol, model, serial) SELECT * FROM units
      ON CONFLICT (printer, symbol) DO UPDATE SET model = excluded.model, serial = excluded.serial
        WHERE (i.model, i.serial) IS DISTINCT FROM (excluded.model, excluded.serial)),
    searchable AS (
      INSERT INTO printer_search AS i (printer, serials)
      SELECT printer, coalesce(string_agg(serial, E'\\n' ORDER BY symbol), '') FROM units GROUP BY printer
      ON CONFLICT (printer) DO UPDATE SET serials = excluded.serials WHERE i.serials <> excluded.serials)
    INSERT INTO verdicts (printer, session, revision, catalog, status, document, at)
    SELECT judged.*, now() FROM judged WHERE true
    ON CONFLICT (printer) DO UPDATE SET session = excluded.session, revision = excluded.revision,
      catalog = excluded.catalog, status = excluded.status, document = excluded.document, at = excluded.at`,
};

function textOrNull(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text);
}

const flag = (value: boolean): string => (value ? 't' : 'f');

/** The values of WRITE_PRINTERS. */
export function writeValues(changes: PrinterChange[], now: Date): (string | Buffer | Date)[] {
  const structures = changes.flatMap(({ structure }) => (structure ? [structure] : []));
  const history = changes.flatMap((change) => change.history);
  const judged = changes.flatMap(({ printer, verdict }) => (verdict ? [{ printer, verdict }] : []));
  // A verdict that repeats the status for the same structure doesn't touch the printer's row, which has many indexes.
  const rows = changes.filter((one) => one.fresh || one.presence || one.structure || one.restated);
  const shown = (pick: (document: Structure) => string | null): string =>
    textArray(rows.map(({ structure }) => (structure ? pick(structure.document) : null)));
  const software = changes.flatMap(installedSoftware);
  const units = changes.flatMap(mountedUnits);
  return [
    textArray(rows.map(({ printer }) => printer)),
    textArray(rows.map(({ fresh }) => flag(fresh))),
    textArray(rows.map(({ presence }) => (presence ? flag(presence.online) : null))),
    textArray(rows.map(({ presence }) => presence?.session ?? null)),
    textArray(
      rows.map(({ presence }) =>
        presence?.at === undefined ? now.toISOString() : storableTime(presence.at),
      ),
    ),
    textArray(rows.map(({ seen }) => flag(seen))),
    shown(({ apparatus }) => storableText(apparatus.model)),
    shown(({ apparatus }) => textOrNull(apparatus.serial)),
    shown(({ site }) => textOrNull(site)),
    jsonbArray(
      rows.map(({ structure }) =>
        structure ? Buffer.from(storableJson(structure.document.labels ?? {})) : null,
      ),
    ),
    shown(({ timezone }) => textOrNull(timezone)),
    textArray(rows.map(({ verdict }) => verdict?.status ?? null)),
    now,
    // Known printers whose parts changed.
    textArray(changes.filter((one) => one.known && one.history.length > 0).map(({ printer }) => printer)),
    textArray(structures.map(({ printer }) => printer)),
    textArray(structures.map(({ document }) => storableText(document.session))),
    textArray(structures.map(({ previousSession }) => previousSession)),
    numberArray(structures.map(({ document }) => document.revision)),
    textArray(structures.map(({ document }) => storableTime(document.at))),
    textArray(structures.map(({ signature }) => signature)),
    jsonArray(structures.map(({ json }) => json)),
    ...historyValues(history),
    textArray(software.map((row) => row[0])),
    textArray(software.map((row) => row[1])),
    textArray(software.map((row) => row[2])),
    textArray(software.map((row) => row[3])),
    textArray(judged.map(({ printer }) => printer)),
    textArray(judged.map(({ verdict }) => storableText(verdict.structure.session))),
    numberArray(judged.map(({ verdict }) => verdict.structure.revision)),
    textArray(judged.map(({ verdict }) => storableText(verdict.catalog))),
    textArray(judged.map(({ verdict }) => verdict.status)),
    jsonArray(judged.map(({ verdict }) => Buffer.from(storableJson(verdict)))),
    textArray(rows.map(({ presence }) => presence?.device ?? null)),
    textArray(units.map((row) => row[0])),
    textArray(units.map((row) => row[1])),
    textArray(units.map((row) => row[2])),
    textArray(units.map((row) => row[3])),
    textArray(
      rows.map(({ structure, history }) =>
        structure && history.length > 0 ? configurationOf(structure.document) : null,
      ),
    ),
  ];
}

function historyValues(history: HistoryEntry[]): (string | Buffer)[] {
  return [
    textArray(history.map(({ structure }) => structure.printer)),
    textArray(history.map(({ structure }) => storableText(structure.document.session))),
    numberArray(history.map(({ structure }) => structure.document.revision)),
    textArray(history.map(({ structure }) => storableTime(structure.document.at))),
    textArray(history.map(({ structure }) => structure.signature)),
    textArray(history.map(({ changes }) => (changes.length === 0 ? '[]' : storableJson(changes)))),
    jsonArray(history.map(({ structure, current }) => (current ? null : structure.json))),
  ];
}

type SoftwareRow = [printer: string, subject: string, software: string, version: string | null];

/** The software of a printer whose parts changed. */
function installedSoftware({ printer, structure, history }: PrinterChange): SoftwareRow[] {
  if (!structure || history.length === 0) return [];
  const { apparatus, units } = structure.document;
  const rows = new Map<string, SoftwareRow>();
  for (const { symbol, software } of [{ symbol: 'apparatus', software: apparatus.software }, ...units]) {
    for (const { id, version } of software ?? []) {
      const subject = storableText(`${symbol}:${id}`);
      // The same software twice on one unit is an error of the report; the first counts.
      if (!rows.has(subject)) rows.set(subject, [printer, subject, storableText(id), textOrNull(version)]);
    }
  }
  return [...rows.values()];
}

type UnitRow = [printer: string, symbol: string, model: string, serial: string | null];

/** The apparatus and the units of a printer whose parts changed. */
function mountedUnits({ printer, structure, history }: PrinterChange): UnitRow[] {
  if (!structure || history.length === 0) return [];
  const { apparatus, units } = structure.document;
  return [{ ...apparatus, symbol: 'apparatus' }, ...units].map(({ symbol, model, serial }) => [
    printer,
    storableText(symbol),
    storableText(model),
    textOrNull(serial),
  ]);
}
