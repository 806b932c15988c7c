/** Times as people read them: local unless `--utc` is given. Pure. */

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** `2026-12-01 07:30:05` in local time, or with `Z` in UTC. */
export function shownTime(iso: string, utc: boolean): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  if (utc)
    return at
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, 'Z');
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}
