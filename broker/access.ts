/**
 * Who may do what: the table of the wire contract, as pure functions. Nothing is allowed that isn't named here.
 */
import { isMethod, mayCall } from '../schemas/roles.ts';
import { downlinkFilters, PREFIX, parseTopic } from '../schemas/topics.ts';
import type { Principal } from './identity.ts';
import { parseShared } from './topics/subscription-tree.ts';

const PRINTERS = `${PREFIX}printers/`;

/** Whether `principal` may publish to `topic`. */
export function mayPublish(principal: Principal, topic: string): boolean {
  const parsed = parseTopic(topic);
  if (!parsed) return false;
  if (parsed.from === 'printer') return principal.role === 'printer' && parsed.printer === principal.name;
  if (principal.role === 'printer' || parsed.operator !== principal.name) return false;
  // An unknown method is let through: the center answers that there is no such method.
  return !isMethod(parsed.method) || mayCall(principal.role, parsed.method);
}

/** Whether `principal` may subscribe to `filter`: everything that it could match must be theirs to read. */
export function maySubscribe(principal: Principal, filter: string): boolean {
  const shared = parseShared(filter);
  if (!shared) return false;
  if (principal.role === 'printer') {
    if (shared.group !== '') return false;
    return printerFilters(principal.name).some((allowed) => filterWithin(filter, allowed));
  }
  return operatorFilters(principal.name).some((allowed) => filterWithin(shared.filter, allowed));
}

/** Whether `principal` may be handed a message of `topic`. */
export function mayReceive(principal: Principal, topic: string): boolean {
  if (principal.role === 'printer') {
    // The cheap check first: nearly every delivery to a printer is one of its own downlinks.
    if (!topic.startsWith(PRINTERS) || !topic.startsWith(`${principal.name}/`, PRINTERS.length)) return false;
    return printerFilters(principal.name).some((allowed) => filterWithin(topic, allowed));
  }
  return operatorFilters(principal.name).some((allowed) => filterWithin(topic, allowed));
}

const printerCache = new Map<string, string[]>();
const CACHE_MAX = 50_000;

function printerFilters(name: string): string[] {
  let filters = printerCache.get(name);
  if (!filters) {
    // `request/#` reaches nothing that `request/+` doesn't, for the topics that exist; clients write both.
    filters = downlinkFilters(name).map((filter) =>
      filter.endsWith('/+') ? `${filter.slice(0, -1)}#` : filter,
    );
    if (printerCache.size >= CACHE_MAX) printerCache.clear();
    printerCache.set(name, filters);
  }
  return filters;
}

/** `{one}` stands for exactly one printer, which must be named. */
const ONE = '{one}';

function operatorFilters(name: string): string[] {
  return [`${PREFIX}ops/${name}/reply/#`, `${PREFIX}fleet/#`, `${PRINTERS}${ONE}/#`, '$SYS/#'];
}

/** Whether every topic that `filter` matches is matched by `allowed` too. A topic is a filter of itself. */
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
