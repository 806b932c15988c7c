/** The access table of the wire contract as pure functions. Anything not listed here is forbidden. */
import { isMethod, mayCall } from '../../schemas/roles.ts';
import { DOWNLINKS, PREFIX, parseTopic } from '../../schemas/topics.ts';
import { parseShared } from '../routing/subscription-tree.ts';
import type { Principal } from './identity.ts';

const PRINTERS = `${PREFIX}printers/`;

/** Whether `principal` may publish to `topic`. */
export function mayPublish(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (!parsed) return false;
  if (parsed.from === 'printer') return principal.role === 'printer' && parsed.printer === principal.name;
  if (principal.role === 'printer' || parsed.operator !== principal.name) return false;
  // An unknown method passes: the center answers that it doesn't exist.
  return !isMethod(parsed.method) || mayCall(principal.role, parsed.method);
}

/** Whether `principal` may subscribe to `filter`: it must be allowed to read every topic the filter can match. */
export function maySubscribe(principal: Principal, filter: string): boolean {
  const shared = parseShared(filter);
  if (!shared) return false;
  if (principal.role === 'printer') {
    return shared.group === '' && isDownlink(principal.name, filter);
  }
  return operatorFilters(principal.name).some((allowed) => filterWithin(shared.filter, allowed));
}

/** Whether `principal` may receive messages on `topic`. */
export function mayReceive(principal: Principal, topic: string): boolean {
  if (principal.role === 'printer') return isDownlink(principal.name, topic);
  return operatorFilters(principal.name).some((allowed) => filterWithin(topic, allowed));
}

/** The downlink topics after the printer's name. */
const DOWNLINK_FILTERS: ReadonlySet<string> = new Set(DOWNLINKS);
/** With `#` in place of the last `+`: it matches the same existing topics, and some clients write it that way. */
const DOWNLINK_BOUNDS = DOWNLINKS.map((filter) =>
  filter.endsWith('/+') ? `${filter.slice(0, -1)}#` : filter,
);

/** Whether `filter` matches only downlinks of the printer. A topic is a filter that matches itself. */
function isDownlink(printer: string, filter: string): boolean {
  const behind = PRINTERS.length + printer.length;
  if (
    !filter.startsWith(PRINTERS) ||
    !filter.startsWith(printer, PRINTERS.length) ||
    filter[behind] !== '/'
  ) {
    return false;
  }
  const rest = filter.slice(behind + 1);
  // The usual case, in a reconnect storm above all: the filters as the contract writes them.
  return DOWNLINK_FILTERS.has(rest) || DOWNLINK_BOUNDS.some((bound) => filterWithin(rest, bound));
}

/** `{one}` stands for exactly one printer, which must be named. */
const ONE = '{one}';

function operatorFilters(name: string): string[] {
  return [`${PREFIX}ops/${name}/reply/#`, `${PREFIX}fleet/#`, `${PRINTERS}${ONE}/#`, '$SYS/#'];
}

/** Whether `allowed` matches every topic that `filter` matches. A topic is a filter that matches itself. */
export function filterWithin(filter: string, allowed: string): boolean {
  const wanted = filter.split('/');
  const limit = allowed.split('/');
  for (let depth = 0; depth < limit.length; depth++) {
    const bound = limit[depth] as string;
    if (bound === '#') return true;
    const level = wanted[depth];
    if (level === undefined || level === '#') return false;
    if (bound === '+') continue;
    if (bound === ONE) {
      if (level === '+' || level === '') return false;
      continue;
    }
    if (level !== bound) return false;
  }
  return wanted.length === limit.length;
}
