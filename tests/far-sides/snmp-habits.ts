/**
 * An SNMP agent (versions 1 and 2c) with the quirks of real network cards, over rows that a test may change: no
 * GETBULK, large requests dropped or refused, truncated responses, holes, rows out of order, an error at the end of a
 * table. snmpd has none of these, so this agent is our own.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/**
 * A value: a number is an INTEGER, a string an OCTET STRING, `{ticks}`, `{counter}` and `{oid}` the type of that name,
 * null a hole.
 */
export type HabitValue =
  | number
  | string
  | Uint8Array
  | { ticks: number }
  | { counter: number }
  | { oid: string }
  | null;
/** Rows in the agent's own order. */
export type HabitRows = [oid: string, value: HabitValue][];

export interface Habits {
  /** GETBULK is dropped, or answered with genErr. */
  bulk?: 'dropped' | 'genErr';
  /** GETBULK for more values than this is dropped, or answered with tooBig. */
  dropsAbove?: number;
  tooBigAbove?: number;
  /** Most values in a response to GETBULK. */
  cutsAt?: number;
  /** How holes are sent; default NULL. */
  holes?: 'null' | 'noSuchInstance';
  /** Rows come in the listed order, not in OID order. */
  asListed?: boolean;
  /** Walking past the end of this subtree gives genErr. */
  genErrBehind?: string;
  /** Every request is answered with genErr. */
  broken?: boolean;
}

export interface HabitAgent {
  readonly port: number;
  rows: HabitRows;
  habits: Habits;
  /** Requests by kind. */
  readonly asked: Record<'get' | 'next' | 'bulk', number>;
  stop(): Promise<void>;
}

const PDU = { get: 0xa0, next: 0xa1, response: 0xa2, bulk: 0xa5 } as const;
const FAULT = { tooBig: 1, noSuchName: 2, genErr: 5 } as const;
const EXCEPTION = { noSuchObject: 0x80, noSuchInstance: 0x81, endOfMibView: 0x82 } as const;

function field(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function whole(value: number, tag = 0x02): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  let from = 0;
  // The fewest octets that keep the sign (X.690, 8.3.2).
  while (
    from < 7 &&
    ((bytes[from] === 0 && (bytes[from + 1] ?? 0) < 0x80) ||
      (bytes[from] === 0xff && (bytes[from + 1] ?? 0) >= 0x80))
  ) {
    from++;
  }
  return field(tag, bytes.subarray(from));
}

function identifier(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split('.').map(Number);
  const octets = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    octets.push(...groups);
  }
  return field(0x06, Buffer.from(octets));
}

function encoded(value: HabitValue, holes: Habits['holes']): Buffer {
  if (value === null) {
    return field(holes === 'noSuchInstance' ? EXCEPTION.noSuchInstance : 0x05, Buffer.alloc(0));
  }
  if (typeof value === 'number') return whole(value);
  if (typeof value === 'string') return field(0x04, Buffer.from(value));
  if (value instanceof Uint8Array) return field(0x04, value);
  if ('oid' in value) return identifier(value.oid);
  return 'ticks' in value ? whole(value.ticks, 0x43) : whole(value.counter, 0x41);
}

/** The fields of a constructed value, in order. */
function fields(bytes: Buffer): { tag: number; content: Buffer }[] {
  const found: { tag: number; content: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? 0;
    at += 2;
    if (length & 0x80) {
      const octets = length & 0x7f;
      length = bytes.readUIntBE(at, octets);
      at += octets;
    }
    found.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

function dotted(content: Buffer): string {
  const [first = 0] = content;
  const arcs = [Math.trunc(first / 40), first % 40];
  let arc = 0;
  for (const octet of content.subarray(1)) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  return arcs.join('.');
}

function before(left: string, right: string): boolean {
  const [a, b] = [left.split('.').map(Number), right.split('.').map(Number)];
  for (const [i, arc] of a.entries()) {
    const other = b[i];
    if (other === undefined) return false;
    if (arc !== other) return arc < other;
  }
  return a.length < b.length;
}

class Fault extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`error-status ${status}`);
    this.status = status;
  }
}

/** The row after `oid`, in the agent's own order. */
function following(rows: HabitRows, oid: string, asListed: boolean): HabitRows[number] | undefined {
  const sorted = asListed ? rows : [...rows].sort(([a], [b]) => (before(a, b) ? -1 : 1));
  const here = rows.findIndex(([known]) => known === oid);
  if (asListed && here >= 0) return rows[here + 1];
  const below = asListed ? rows.find(([known]) => known.startsWith(`${oid}.`)) : undefined;
  return below ?? sorted.find(([known]) => before(oid, known));
}

export async function startHabitAgent(rows: HabitRows, habits: Habits = {}): Promise<HabitAgent> {
  const socket = createSocket('udp4');
  const agent = { rows, habits, asked: { get: 0, next: 0, bulk: 0 } };

  const walkOn = (oid: string): HabitRows[number] | undefined => {
    const { genErrBehind, asListed } = agent.habits;
    const row = following(agent.rows, oid, asListed ?? false);
    const inside = (at: string) => genErrBehind !== undefined && at.startsWith(`${genErrBehind}.`);
    if (inside(`${oid}.`) && !(row && inside(row[0]))) throw new Fault(FAULT.genErr);
    return row;
  };

  /** The variables of the response; undefined: no response. */
  const answer = (
    version: number,
    pdu: number,
    a: number,
    b: number,
    oids: string[],
  ): Buffer[] | undefined => {
    const { bulk, dropsAbove = Number.POSITIVE_INFINITY, tooBigAbove, cutsAt, holes, broken } = agent.habits;
    const variable = (oid: string, value: Buffer) => field(0x30, Buffer.concat([identifier(oid), value]));
    const missing = (oid: string, exception: number) => {
      if (version === 0) throw new Fault(FAULT.noSuchName);
      return variable(oid, field(exception, Buffer.alloc(0)));
    };
    if (broken) throw new Fault(FAULT.genErr);
    if (pdu === PDU.get) {
      agent.asked.get++;
      return oids.map((oid) => {
        const row = agent.rows.find(([known]) => known === oid);
        return row ? variable(oid, encoded(row[1], holes)) : missing(oid, EXCEPTION.noSuchObject);
      });
    }
    const one = (oid: string): [string, Buffer] => {
      const row = walkOn(oid);
      return row
        ? [row[0], variable(row[0], encoded(row[1], holes))]
        : [oid, missing(oid, EXCEPTION.endOfMibView)];
    };
    if (pdu === PDU.next) {
      agent.asked.next++;
      return oids.map((oid) => one(oid)[1]);
    }
    agent.asked.bulk++;
    const count = a + (oids.length - a) * b;
    if (bulk === 'dropped' || count > dropsAbove) return undefined;
    if (bulk === 'genErr') throw new Fault(FAULT.genErr);
    if (tooBigAbove !== undefined && count > tooBigAbove) throw new Fault(FAULT.tooBig);
    const at = [...oids];
    const variables: Buffer[] = [];
    for (let turn = 0; turn < Math.max(1, b); turn++) {
      for (const [i, oid] of at.entries()) {
        if (turn > 0 && i < a) continue;
        if (variables.length >= (cutsAt ?? count)) return variables;
        const [next, bytes] = one(oid);
        at[i] = next;
        variables.push(bytes);
      }
    }
    return variables;
  };

  socket.on('message', (bytes, peer) => {
    const [version, community, request] = fields(fields(bytes)[0]?.content ?? Buffer.alloc(0));
    const [id, first, second, list] = fields(request?.content ?? Buffer.alloc(0));
    if (!version || !community || !request || !id || !first || !second || !list) return;
    const oids = fields(list.content).map(({ content }) =>
      dotted(fields(content)[0]?.content ?? Buffer.alloc(0)),
    );
    const number = (content: Buffer) => content.readIntBE(0, content.length);
    let status = 0;
    let variables: Buffer[] | undefined;
    try {
      const kind = number(version.content);
      variables = answer(kind, request.tag, number(first.content), number(second.content), oids);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      status = error.status;
      variables = oids.map((oid) =>
        field(0x30, Buffer.concat([identifier(oid), field(0x05, Buffer.alloc(0))])),
      );
    }
    if (!variables) return;
    const head = [field(0x02, id.content), whole(status), whole(status === 0 ? 0 : 1)];
    const body = field(PDU.response, Buffer.concat([...head, field(0x30, Buffer.concat(variables))]));
    const parts = [field(0x02, version.content), field(0x04, community.content), body];
    socket.send(field(0x30, Buffer.concat(parts)), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return Object.assign(agent, {
    port: (socket.address() as AddressInfo).port,
    stop: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  });
}
