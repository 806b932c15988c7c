/**
 * Filters as conditions of SQL on a row `p` of `printers`. Everything that somebody wrote is a parameter of the
 * statement. The only place where a filter becomes SQL.
 */
import { durationMs } from '../../schemas/duration.ts';
import { type Operator, type Term, type TermValue, timeMs } from '../../schemas/where.ts';

/** What a filter is compiled with. */
export interface FilterContext {
  now_ms: number;
  /** The installed versions of a software that lie in a range. */
  versions(software: string, range: string): readonly string[];
  /** Adds a parameter to the statement; gives its place, `$1`. */
  param(value: unknown): string;
}

/**
 * A filter whose names are resolved: gives its conditions on a row `p` of `printers`, which all have to hold. Its values
 * become parameters through `param`, as those of the statement that it stands in.
 */
export type PrinterConditions = (param: (value: unknown) => string) => string[];

/** A condition that is true for what a term's values name, whatever its operator negates. */
interface Condition {
  sql: string;
  /** It is true or false and never unknown, as EXISTS is. */
  total: boolean;
}

const DAY_MS = 86_400_000;

/** The first text that sorts after everything that begins with `prefix`, byte by byte. */
function prefixEnd(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function anyOf(conditions: readonly string[]): string {
  return conditions.length === 1 ? (conditions[0] ?? '') : `(${conditions.join(' OR ')})`;
}

function isAny({ text, prefix }: TermValue): boolean {
  return prefix && text === '';
}

/** A text as a pattern of LIKE that finds it anywhere. */
function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** That a column has one of the values, or contains one. */
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

/** That a number compares with the values as the term says; `scale` turns what people write into what is stored. */
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

/** Of what was never seen it is true that it was seen before any time, and longer ago than any duration. */
function seen({ operator, values: [value] }: Term, { now_ms, param }: FilterContext): Condition {
  if (!value || operator === '=' || operator === '!=') {
    return value?.prefix ? plain('p.last_seen IS NOT NULL') : plain('p.last_seen IS NULL');
  }
  const ago_ms = durationMs(value.text);
  const time = new Date(ago_ms === undefined ? (timeMs(value.text) ?? 0) : now_ms - ago_ms);
  // Less than two hours ago is later than two hours ago.
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
  // Containment is what the index of labels answers.
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

/** The number of open troubles, compared as whole numbers: only those an index compares. */
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

/** What a term's values find. */
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

/** Whether an operator turns a term around: a printer is found by exactly one of `=` and `!=`. */
function negates(operator: Operator): boolean {
  return operator === '!=';
}

const VERDICTS = ['compatible', 'incompatible', 'unknown', 'none'];

/** `verdict!=compatible` says that it is one of the others: those an index finds. */
function complement(term: Term): Term {
  const { field, operator, values } = term;
  if (field !== 'verdict' || operator !== '!=' || values.some(isAny)) return term;
  const others = VERDICTS.filter((word) => values.every(({ text }) => text !== word));
  return { ...term, operator: '=', values: others.map((text) => ({ text, prefix: false })) };
}

/** The conditions of a filter, which all have to hold; none where the filter has no terms. */
export function filterConditions(terms: readonly Term[], context: FilterContext): string[] {
  return terms.map((written) => {
    const term = complement(written);
    const { sql, total } = found(term, context);
    if (!negates(term.operator)) return sql;
    return total ? `NOT ${sql}` : `(${sql}) IS NOT TRUE`;
  });
}

/** The ranges whose versions have to be known before a filter is compiled. */
export function rangesOf(terms: readonly Term[]): { software: string; range: string }[] {
  return terms.flatMap(({ field, name: id = '', operator, values }) => {
    if (field !== 'software' || values.some(isAny)) return [];
    const ordering = operator === '=' || operator === '!=' ? '' : operator;
    return values.map(({ text }) => ({ software: id, range: `${ordering}${text}` }));
  });
}
