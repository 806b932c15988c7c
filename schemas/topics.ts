/**
 * Every topic of the wire contract, built and parsed here and nowhere else.
 */

/** A printer id: also its MQTT client id and user name. */
export const PRINTER_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const PREFIX = 'platen/v1/';
const PRINTERS = `${PREFIX}printers/`;
const OPS = `${PREFIX}ops/`;
const FLEET = `${PREFIX}fleet/`;

/** What a printer may publish. `ask` carries a method behind it. */
export const UPLINKS = ['presence', 'structure', 'errors', 'update', 'ask'] as const;
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
] as const;
export type FleetEventKind = (typeof FLEET_EVENTS)[number];

/** A printer's own topics, by printer id. */
export const printerTopic = {
  presence: (printer: string) => `${PRINTERS}${printer}/presence`,
  structure: (printer: string) => `${PRINTERS}${printer}/structure`,
  errors: (printer: string) => `${PRINTERS}${printer}/errors`,
  update: (printer: string) => `${PRINTERS}${printer}/update`,
  ask: (printer: string, method: string) => `${PRINTERS}${printer}/ask/${method}`,
  policy: (printer: string) => `${PRINTERS}${printer}/policy`,
  requestStructure: (printer: string) => `${PRINTERS}${printer}/request/structure`,
  requestErrors: (printer: string) => `${PRINTERS}${printer}/request/errors`,
  errorsAck: (printer: string) => `${PRINTERS}${printer}/errors/ack`,
  verdict: (printer: string) => `${PRINTERS}${printer}/verdict`,
  order: (printer: string) => `${PRINTERS}${printer}/order`,
  answer: (printer: string, id: string) => `${PRINTERS}${printer}/answer/${id}`,
  refused: (printer: string) => `${PRINTERS}${printer}/refused`,
};

/** The downlinks a printer subscribes to, as filters. */
export function downlinkFilters(printer: string): string[] {
  return [
    printerTopic.policy(printer),
    `${PRINTERS}${printer}/request/+`,
    printerTopic.errorsAck(printer),
    printerTopic.verdict(printer),
    printerTopic.order(printer),
    `${PRINTERS}${printer}/answer/+`,
    printerTopic.refused(printer),
  ];
}

export const opsTopic = {
  request: (operator: string, method: string) => `${OPS}${operator}/request/${method}`,
  reply: (operator: string, id: string) => `${OPS}${operator}/reply/${id}`,
};

export const fleetTopic = {
  summary: `${FLEET}summary`,
  campaign: (id: string) => `${FLEET}campaigns/${id}`,
  trouble: (id: string) => `${FLEET}troubles/${id}`,
  event: (kind: FleetEventKind) => `${FLEET}events/${kind}`,
};

/** Filters under which the center hears everything that is meant for it. */
export const CENTER_FILTERS = [
  ...UPLINKS.filter((kind) => kind !== 'ask').map((kind) => `${PRINTERS}+/${kind}`),
  `${PRINTERS}+/ask/+`,
  `${OPS}+/request/+`,
];

/** What a topic means to the center: a printer's uplink, an operator's request, or neither. */
export type ParsedTopic =
  | Readonly<{ to: 'center'; from: 'printer'; printer: string; kind: UplinkKind; method: string }>
  | Readonly<{ to: 'center'; from: 'operator'; operator: string; method: string }>
  | undefined;

/** What was parsed last: a client mostly publishes to one topic, several messages at once, and each is looked at often. */
let lastTopic = '';
let lastParsed: ParsedTopic;

/** Parses a topic that the center may have to handle. `method` is '' where the kind has none. */
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
