/**
 * Reads recorded IPP answers: attributes as JSON (plain, or in groups as @sealsystems/ipp gives them), `ipptool -X`
 * (plist), and `ipptool -tv` (text).
 */
import { PlatenError } from '../../schemas/errors.ts';
import { IppAnswer, type IppValue } from './ipp-answer.ts';

function jsonValue(value: unknown): IppValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((item) => String(item)).join(',');
  const object = value as Record<string, unknown>;
  if (object['type'] === 'Buffer' && Array.isArray(object['data']))
    return Uint8Array.from(object['data'] as number[]);
  if ('value' in object) return jsonValue(object['value']);
  return new Map(Object.entries(object).map(([key, member]) => [key, jsonValues(member)]));
}

function jsonValues(value: unknown): IppValue[] {
  return Array.isArray(value) ? value.map(jsonValue) : [jsonValue(value)];
}

/** Names of attributes that only an IPP answer has; tells one from SNMP in JSON. */
const IPP_NAME = /^(printer|system|job|operations|media|marker|document|attributes|ipp|uri)-/;

function fromJson(document: unknown): IppAnswer | undefined {
  const answer = new IppAnswer();
  const take = (group: object) => {
    for (const [name, value] of Object.entries(group)) {
      if (/-attributes(-tag)?$/.test(name) && typeof value === 'object' && value !== null) {
        for (const inner of Array.isArray(value) ? value : [value])
          if (typeof inner === 'object' && inner) take(inner as object);
      } else if (IPP_NAME.test(name) && !answer.attributes.has(name))
        answer.attributes.set(name, jsonValues(value));
    }
  };
  const items = Array.isArray(document) ? document : [document];
  for (const item of items) {
    if (typeof item !== 'object' || item === null) continue;
    const { name, value, values } = item as { name?: unknown; value?: unknown; values?: unknown };
    // [{name, value}] beside {name: value}.
    if (typeof name === 'string' && (value !== undefined || values !== undefined)) {
      if (!answer.attributes.has(name)) answer.attributes.set(name, jsonValues(values ?? value));
    } else take(item);
  }
  return answer.attributes.size === 0 ? undefined : answer;
}

type PlistValue = string | number | boolean | Uint8Array | PlistValue[] | Map<string, PlistValue>;

const ENTITIES = new Map<string, string>(
  Object.entries({ lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }),
);

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi,
    (whole, decimal: string, hex: string, name: string) => {
      if (decimal) return String.fromCodePoint(Number(decimal));
      if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
      return ENTITIES.get(name) ?? whole;
    },
  );
}

/** The few elements that ipptool writes; nesting is bounded by the input itself. */
function parsePlist(text: string): PlistValue | undefined {
  const tokens = text.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>([^<]*)/gi);
  const stack: {
    kind: 'dict' | 'array' | 'root';
    map: Map<string, PlistValue>;
    list: PlistValue[];
    key: string;
  }[] = [{ kind: 'root', map: new Map(), list: [], key: '' }];
  const put = (value: PlistValue) => {
    const top = stack[stack.length - 1];
    if (!top) return;
    if (top.kind === 'dict') top.map.set(top.key, value);
    else top.list.push(value);
  };
  for (const [, closing, name = '', empty, rest = ''] of tokens) {
    const body = unescapeXml(rest);
    if (closing) {
      if (name !== 'dict' && name !== 'array') continue;
      const done = stack.length > 1 ? stack.pop() : undefined;
      if (done) put(done.kind === 'dict' ? done.map : done.list);
      continue;
    }
    const top = stack[stack.length - 1];
    if (name === 'dict' || name === 'array') {
      if (empty) put(name === 'dict' ? new Map() : []);
      else stack.push({ kind: name, map: new Map(), list: [], key: '' });
    } else if (name === 'key' && top) top.key = body;
    else if (name === 'string' || name === 'date') put(empty ? '' : body);
    else if (name === 'integer' || name === 'real') put(Number(body));
    else if (name === 'true' || name === 'false') put(name === 'true');
    else if (name === 'data') put(Uint8Array.from(Buffer.from(body, 'base64')));
  }
  return stack[0]?.list[0];
}

function plistIpp(value: PlistValue): IppValue {
  if (Array.isArray(value)) return value.map((item) => String(item)).join(',');
  if (value instanceof Map) {
    return new Map(
      [...value].map(([key, member]) => [key, (Array.isArray(member) ? member : [member]).map(plistIpp)]),
    );
  }
  return value;
}

function fromPlist(text: string): IppAnswer | undefined {
  const answer = new IppAnswer();
  const visit = (value: PlistValue | undefined) => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (!(value instanceof Map)) return;
    for (const [name, member] of value) {
      if (name === 'RequestAttributes') continue;
      if (IPP_NAME.test(name)) {
        if (!answer.attributes.has(name)) {
          answer.attributes.set(name, (Array.isArray(member) ? member : [member]).map(plistIpp));
        }
      } else visit(member);
    }
  };
  visit(parsePlist(text));
  return answer.attributes.size === 0 ? undefined : answer;
}

/** Splits at commas outside braces and quotes; `\,` is a comma of the value. */
function splitValues(text: string): string[] {
  const values: string[] = [];
  let depth = 0;
  let quoted = false;
  let current = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === '\\' && i + 1 < text.length) {
      current += text[++i];
      continue;
    }
    if (char === '"') quoted = !quoted;
    else if (char === '{' && !quoted) depth++;
    else if (char === '}' && !quoted) depth--;
    if (char === ',' && depth <= 0 && !quoted) {
      values.push(current);
      current = '';
    } else if (char !== '"') current += char;
  }
  values.push(current);
  return values;
}

/** Lines `name (1setOf keyword) = a,b`. The request that ipptool prints first has no printer attributes. */
function fromText(text: string): IppAnswer | undefined {
  const answer = new IppAnswer();
  for (const line of text.split(/\r?\n/)) {
    const match =
      /^\s*([a-z][a-z0-9-]+)\s+\(([^)]*)\)\s*=\s?(.*)$/i.exec(line) ??
      /^\s*([a-z][a-z0-9]*-[a-z0-9-]+)()\s*=\s?(.*)$/i.exec(line);
    const [, name, type = '', rest] = match ?? [];
    if (!name || rest === undefined || !IPP_NAME.test(name) || name === 'printer-uri') continue;
    if (answer.attributes.has(name) && name.startsWith('attributes-')) continue;
    const many = type === '' || type.startsWith('1setOf');
    answer.attributes.set(name, many ? splitValues(rest) : [rest.replace(/^"(.*)"$/, '$1')]);
  }
  return answer.attributes.size === 0 ? undefined : answer;
}

/**
 * A recorded IPP answer, or undefined when the text holds no IPP attributes.
 * @throws PlatenError agent/recording when JSON is broken
 */
export function parseRecordedIpp(bytes: Uint8Array, file: string): IppAnswer | undefined {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  const start = text.trimStart();
  if (start.startsWith('{') || start.startsWith('[')) {
    try {
      return fromJson(JSON.parse(text));
    } catch (error) {
      throw new PlatenError('agent/recording', { file, reason: String(error) }, { cause: error });
    }
  }
  if (start.startsWith('<')) return fromPlist(text);
  return fromText(text);
}
