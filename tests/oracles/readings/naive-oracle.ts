/**
 * Aggregates of readings, computed from all readings at once in the plainest way, to test `center/readings/`, with
 * which it shares no code.
 */

export interface OracleReading {
  time: number;
  impressions?: number;
  supply?: { serial?: string; level?: number };
}

export interface OracleDay {
  date: string;
  readings: number;
  grown: number | undefined;
  end: number | undefined;
  gap: number;
}

/** The date in a time zone, as formatted by the JavaScript runtime. */
function dateIn(time: number, zone: string): string {
  return new Date(time).toLocaleDateString('sv-SE', { timeZone: zone });
}

function daysBetween(from: string, to: string): number {
  let count = 0;
  for (const at = new Date(`${from}T12:00:00Z`); at.toISOString().slice(0, 10) < to; count += 1) {
    at.setUTCDate(at.getUTCDate() + 1);
  }
  return count;
}

/** Rows per day, for counters that never fall. */
export function oracleDays(readings: readonly OracleReading[], zone: string): OracleDay[] {
  const dates = [...new Set(readings.map(({ time }) => dateIn(time, zone)))];
  return dates.map((date, index) => {
    const mine = readings.filter(({ time }) => dateIn(time, zone) === date);
    const values = mine.flatMap(({ impressions }) => (impressions === undefined ? [] : [impressions]));
    const before = readings.filter(
      ({ time, impressions }) => impressions !== undefined && dateIn(time, zone) < date,
    );
    const end = values.length === 0 ? undefined : Math.max(...values);
    const start = before.at(-1)?.impressions ?? values[0];
    const previous = dates[index - 1];
    return {
      date,
      readings: mine.length,
      end,
      grown: end === undefined || start === undefined ? undefined : end - start,
      gap: previous === undefined ? 0 : daysBetween(previous, date) - 1,
    };
  });
}

export interface OracleSupply {
  serials: string[];
  from: number;
  first: number | undefined;
  last: number | undefined;
}

/** Successive cartridges of one supply with levels of 0 to 100. */
export function oracleSupplies(readings: readonly OracleReading[]): OracleSupply[] {
  const found: OracleSupply[] = [];
  for (const { time, supply } of readings) {
    if (!supply) continue;
    const current = found.at(-1);
    const { serial, level } = supply;
    const otherSerial =
      serial !== undefined && current?.serials[0] !== undefined && !current.serials.includes(serial);
    const risen = level !== undefined && current?.last !== undefined && level - current.last > 20;
    if (!current || otherSerial || risen) {
      found.push({ serials: serial === undefined ? [] : [serial], from: time, first: level, last: level });
    } else {
      if (serial !== undefined && current.serials.length === 0) current.serials.push(serial);
      if (level !== undefined) current.last = level;
    }
  }
  return found;
}
