/**
 * Compiles filters to SQL conditions on a row `p` of `printers`. User input only ever becomes statement parameters. The
 * only place where a filter becomes SQL.
 */
import { durationMs } from '../../schemas/duration.ts';
import { type Operator, type Term, type TermValue, timeMs } from '../../schemas/where.ts';

/** The context for compiling a filter. */
export interface FilterContext {
  now_ms: number;
  /** The installed versions of a software that are in a range. */
  versions(software: string, range: string): readonly string[];
  /** Adds a parameter to the statement and returns its placeholder, such as `$1`. */
  param(value: unknown): string;
}

/**
 * A filter with resolved names. Returns its conditions on a row `p` of `printers`, all of which must hold. Its values
 * become parameters of the enclosing statement through `param`.
 */
export type PrinterConditions = (param: (value: unknown) => string) => string[];

/** The condition that a term's values match, before its operator negates it. */
interface Condition {
  sql: string;
  /** It is never NULL, as with EXISTS. */
  total: boolean;
}

const DAY_MS = 86_400_000;

/** The first text that sorts, by bytes, after every text with this prefix. */
function prefixEnd(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '') : `(${conditions.join(' OR ')})`;
}

function isAny({ text, prefix }: TermValue): boolean {
  return prefix && text === '';
}

/** A LIKE pattern that finds the text anywhere. */
function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** The condition that a column equals, or contains, one of the values. */
function textIn(column: string, { operator, values }: Term, { param }: FilterContext): string {
  if (operator === '~') {
    return anyOf(
      values.map(
        ({ text }) => `lower(${column} COLLATE "C") LIKE lower(${param(containing(text))}::text COLLATE "C")`,
      ),
    );
  }
  const exact = values.filter(({ prefix }) => !prefix).map(({ text }) => text);
  return anyOf([
    ...(exact.length === 1 ? [`${column} = ${param(exact[0])}`] : []),
    ...(exact.length > 1 ? [`${column} = ANY(${param(exact)}::text[])`] : []),
    ...values
      .filter(({ prefix }) => prefix)
      .map((value) =>
        isAny(value)
          ? `${column} IS NOT NULL`
          : `(${column} >= ${param(value.text)} AND ${column} < ${param(prefixEnd(value.text))})`,
      ),
  ]);
}

/** The condition that a number compares with the values; `scale` converts written units into stored ones. */
function numberIn(
  column: string,
  { operator, values }: Term,
  { param }: FilterContext,
  type: string,
  scale: (value: number) => number | Date = (value) => value,
): string {
  const comparison = operator === '!=' ? '=' : operator;
  return anyOf(
    values.map((value) =>
      isAny(value)
        ? `${column} IS NOT NULL`
        : `${column} ${comparison} ${param(scale(Number(value.text)))}::${type}`,
    ),
  );
}

const exists = (from: string, where: string): Condition => ({
  sql: `EXISTS (SELECT 1 FROM ${from} WHERE ${where})`,
  total: true,
});
const plain = (sql: string): Condition => ({ sql, total: false });

/** A printer never seen counts as seen before any time, and longer ago than any duration. */
function seen({ operator, values: [value] }: Term, { now_ms, param }: FilterContext): Condition {
  if (!value || operator === '=' || operator === '!=') {
    return value?.prefix ? plain('p.last_seen IS NOT NULL') : plain('p.last_seen IS NULL');
  }
  const ago_ms = durationMs(value.text);
  const time = new Date(ago_ms === undefined ? (timeMs(value.text) ?? 0) : now_ms - ago_ms);
  // A smaller age is a later time.
  const flipped = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;
  const comparison = ago_ms === undefined ? operator : flipped[operator as keyof typeof flipped];
  const compared = `p.last_seen ${comparison} ${param(time)}::timestamptz`;
  return plain(comparison.startsWith('<') ? `(${compared} OR p.last_seen IS NULL)` : compared);
}

function software({ name = '', operator, values }: Term, { versions, param }: FilterContext): Condition {
  const of = `i.printer = p.id AND i.software = ${param(name)}`;
  if (values.some(isAny)) return exists('installed_software i', of);
  const ordering = operator === '=' || operator === '!=' ? '' : operator;
  const wanted = new Set(values.flatMap(({ text }) => versions(name, `${ordering}${text}`)));
  return exists('installed_software i', `${of} AND i.version = ANY(${param([...wanted])}::text[])`);
}

function label({ name = '', ...term }: Term, context: FilterContext): Condition {
  const { operator, values } = term;
  const exact = operator !== '~' && values.every(({ prefix }) => !prefix);
  if (!exact) return plain(textIn(`(p.labels->>${context.param(name)}::text)`, term, context));
  // The index of labels supports containment only.
  return plain(
    anyOf(values.map(({ text }) => `p.labels @> ${context.param(JSON.stringify({ [name]: text }))}::jsonb`)),
  );
}

function verdict(term: Term, context: FilterContext): Condition {
  const named = term.values.filter(({ text }) => text !== 'none');
  return plain(
    anyOf([
      ...(named.length > 0 ? [textIn('p.verdict', { ...term, values: named }, context)] : []),
      ...(named.length < term.values.length ? ['p.verdict IS NULL'] : []),
    ]),
  );
}

function trouble(term: Term, context: FilterContext): Condition {
  if (term.values.some((value) => isAny(value) || (!value.prefix && value.text === 'any'))) {
    return plain('p.open_troubles > 0');
  }
  return exists('printer_troubles t', `t.printer = p.id AND ${textIn('t.rule', term, context)}`);
}

const COUNT_MAX = 2 ** 31 - 1;

/** The number of open troubles, compared as whole numbers because the index holds whole numbers. */
function openTroubles({ operator, values }: Term, { param }: FilterContext): string {
  const comparison = operator === '!=' ? '=' : operator;
  return anyOf(
    values.map((value) => {
      if (isAny(value)) return 'true';
      const number = Number(value.text);
      if (comparison === '=' && !Number.isInteger(number)) return 'false';
      const whole = comparison === '>' || comparison === '<=' ? Math.floor(number) : Math.ceil(number);
      const bounded = Math.max(-COUNT_MAX, Math.min(COUNT_MAX, whole));
      return `p.open_troubles ${comparison} ${param(bounded)}::int`;
    }),
  );
}

const OPEN_TROUBLES = `t.printer = p.id AND t.state IN ('open', 'escalated')`;
const CURRENT_SUPPLIES = 's.printer = p.id AND s.until_at IS NULL';

/** The condition that a term's values match. */
function found(term: Term, context: FilterContext): Condition {
  const { param, now_ms } = context;
  switch (term.field) {
    case 'id':
    case 'model':
    case 'site':
    case 'standing':
      return plain(textIn(`p.${term.field}`, term, context));
    case 'serial':
      return exists('printer_units u', `u.printer = p.id AND ${textIn('u.serial', term, context)}`);
    case 'unit':
      return exists(
        'printer_units u',
        `u.printer = p.id AND u.symbol <> 'apparatus' AND ${textIn('u.model', term, context)}`,
      );
    case 'label':
      return label(term, context);
    case 'presence':
      return plain(
        anyOf(term.values.map(({ text }) => (text === '' ? 'true' : `p.online = ${text === 'online'}`))),
      );
    case 'verdict':
      return verdict(term, context);
    case 'seen':
      return seen(term, context);
    case 'software':
      return software(term, context);
    case 'trouble':
      return trouble(term, context);
    case 'troubles':
      return plain(openTroubles(term, context));
    case 'severity':
      return exists('troubles t', `${OPEN_TROUBLES} AND ${textIn('t.severity', term, context)}`);
    case 'owner':
      return exists('troubles t', `${OPEN_TROUBLES} AND ${textIn('t.owner', term, context)}`);
    case 'campaign':
      return exists(
        'campaign_targets c',
        `c.printer = p.id AND c.state <> 'excluded' AND ${textIn('c.campaign', term, context)}`,
      );
    case 'supply': {
      const level = numberIn('s.last_left', term, context, 'real', (percent) => percent / 100);
      const whole = term.values.some(isAny) ? 'true' : level;
      return exists(
        'supply_intervals s',
        `${CURRENT_SUPPLIES} AND s.kind = ${param(term.name)} AND ${whole}`,
      );
    }
    case 'daysLeft': {
      const ends = numberIn(
        's.ends_at',
        term,
        context,
        'timestamptz',
        (days) => new Date(now_ms + days * DAY_MS),
      );
      return exists('supply_intervals s', `${CURRENT_SUPPLIES} AND ${ends}`);
    }
    case 'text':
      return plain(
        `p.id IN (SELECT x.printer FROM printer_search x WHERE ${anyOf(
          term.values.map(({ text }) => `x.text LIKE lower(${param(containing(text))}::text COLLATE "C")`),
        )})`,
      );
  }
}

/** Whether an operator negates its term: every printer matches exactly one of `=` and `!=`. */
function negates(operator: Operator): boolean {
  return operator === '!=';
}

const VERDICTS = ['compatible', 'incompatible', 'unknown', 'none'];

/** `verdict!=compatible` as a list of the other verdicts, which an index can answer. */
function complement(term: Term): Term {
  const { field, operator, values } = term;
  if (field !== 'verdict' || operator !== '!=' || values.some(isAny)) return term;
  const others = VERDICTS.filter((word) => values.every(({ text }) => text !== word));
  return { ...term, operator: '=', values: others.map((text) => ({ text, prefix: false })) };
}

/** The conditions of a filter, all of which must hold; none when the filter has no terms. */
export function filterConditions(terms: readonly Term[], context: FilterContext): string[] {
  return terms.map((written) => {
    const term = complement(written);
    const { sql, total } = found(term, context);
    if (!negates(term.operator)) return sql;
    return total ? `NOT ${sql}` : `(${sql}) IS NOT TRUE`;
  });
}

/** The ranges that must be resolved to versions before a filter is compiled. */
export function rangesOf(terms: readonly Term[]): { software: string; range: string }[] {
  return terms.flatMap(({ field, name: id = '', operator, values }) => {
    if (field !== 'software' || values.some(isAny)) return [];
    const ordering = operator === '=' || operator === '!=' ? '' : operator;
    return values.map(({ text }) => ({ software: id, range: `${ordering}${text}` }));
  });
}
