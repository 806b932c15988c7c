/**
 * Builds and parses all topics of the wire contract. Untrusted topic levels are checked when a topic is built, because
 * a broker closes the connection of a client that publishes to a wildcard.
 */
import { PlatenError } from './errors.ts';

/** A printer id: also its MQTT client id and user name. */
export const PRINTER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const PREFIX = 'platen/v1/';
const PRINTERS = `${PREFIX}printers/`;
const OPS = `${PREFIX}ops/`;
const FLEET = `${PREFIX}fleet/`;

/** What a printer may publish. `ask` is followed by a method. */
export const UPLINKS = ['presence', 'structure', 'errors', 'readings', 'update', 'ask'] as const;
export type UplinkKind = (typeof UPLINKS)[number];

/** Kinds of fleet events. */
export const FLEET_EVENTS = [
  'presence',
  'structure',
  'verdict',
  'trouble',
  'order',
  'campaign',
  'security',
  'release',
] as const;
export type FleetEventKind = (typeof FLEET_EVENTS)[number];

/**
 * Characters allowed in a topic level. MQTT forbids wildcards and NUL; control characters and noncharacters are refused
 * because brokers may close the connection over them (MQTT-1.5.3).
 */
const LEVEL = /^[^\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}+#/]{1,256}$/u;

/** @throws PlatenError topic/invalid */
function level(text: string): string {
  if (!LEVEL.test(text)) throw new PlatenError('topic/invalid', { level: JSON.stringify(text.slice(0, 64)) });
  return text;
}

function own(suffix: string): (printer: string) => string {
  return (printer) => `${PRINTERS}${level(printer)}/${suffix}`;
}

/** A printer's own topics, by printer id. Each throws PlatenError topic/invalid for an invalid level. */
export const printerTopic = {
  presence: own('presence'),
  structure: own('structure'),
  errors: own('errors'),
  readings: own('readings'),
  update: own('update'),
  ask: (printer: string, method: string) => `${PRINTERS}${level(printer)}/ask/${level(method)}`,
  policy: own('policy'),
  requestStructure: own('request/structure'),
  requestErrors: own('request/errors'),
  requestReadings: own('request/readings'),
  errorsAck: own('errors/ack'),
  verdict: own('verdict'),
  order: own('order'),
  answer: (printer: string, id: string) => `${PRINTERS}${level(printer)}/answer/${level(id)}`,
  refused: own('refused'),
};

/** The prefix of all printers' topics. */
export const PRINTERS_PREFIX = PRINTERS;

/** The downlinks of a printer, as topic filters after its id. */
export const DOWNLINKS = [
  'policy',
  'request/+',
  'errors/ack',
  'verdict',
  'order',
  'answer/+',
  'refused',
] as const;

/** The downlinks a printer subscribes to, as topic filters. */
export function downlinkFilters(printer: string): string[] {
  return DOWNLINKS.map((downlink) => `${PRINTERS}${level(printer)}/${downlink}`);
}

export const opsTopic = {
  request: (operator: string, method: string) => `${OPS}${level(operator)}/request/${level(method)}`,
  reply: (operator: string, id: string) => `${OPS}${level(operator)}/reply/${level(id)}`,
};

/** The prefix of the topics of an operator's replies. */
export function replyPrefix(operator: string): string {
  return `${OPS}${level(operator)}/reply/`;
}

export const fleetTopic = {
  summary: `${FLEET}summary`,
  campaign: (id: string) => `${FLEET}campaigns/${level(id)}`,
  trouble: (id: string) => `${FLEET}troubles/${level(id)}`,
  event: (kind: FleetEventKind) => `${FLEET}events/${kind}`,
};

/** The topic filters that the center subscribes to. */
export const CENTER_FILTERS = [
  ...UPLINKS.filter((kind) => kind !== 'ask').map((kind) => `${PRINTERS}+/${kind}`),
  `${PRINTERS}+/ask/+`,
  `${OPS}+/request/+`,
];

/** A topic as the center sees it: a printer's uplink, an operator's request, or neither. */
export type ParsedTopic =
  | Readonly<{ to: 'center'; from: 'printer'; printer: string; kind: UplinkKind; method: string }>
  | Readonly<{ to: 'center'; from: 'operator'; operator: string; method: string }>
  | undefined;

/**
 * The last parsed topic, cached: clients publish in bursts to one topic, and each message's topic is parsed several
 * times.
 */
let lastTopic = '';
let lastParsed: ParsedTopic;

/** Parses a topic that the center may have to handle. `method` is '' if the kind has none. */
export function parseTopic(topic: string): ParsedTopic {
  if (topic !== lastTopic) {
    lastParsed = parse(topic);
    lastTopic = topic;
  }
  return lastParsed;
}

function parse(topic: string): ParsedTopic {
  if (topic.startsWith(PRINTERS)) {
    const slash = topic.indexOf('/', PRINTERS.length);
    if (slash < 0) return undefined;
    const printer = topic.slice(PRINTERS.length, slash);
    const rest = topic.slice(slash + 1);
    switch (rest) {
      case 'structure':
      case 'errors':
      case 'readings':
      case 'update':
      case 'presence':
        return { to: 'center', from: 'printer', printer, kind: rest, method: '' };
      default:
        if (rest.startsWith('ask/') && rest.length > 4 && rest.indexOf('/', 4) < 0) {
          return { to: 'center', from: 'printer', printer, kind: 'ask', method: rest.slice(4) };
        }
        return undefined;
    }
  }
  if (topic.startsWith(OPS)) {
    const levels = topic.slice(OPS.length).split('/');
    if (levels.length === 3 && levels[1] === 'request' && levels[0] && levels[2]) {
      return { to: 'center', from: 'operator', operator: levels[0], method: levels[2] };
    }
  }
  return undefined;
}
