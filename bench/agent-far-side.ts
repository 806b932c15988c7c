/**
 * The far side of the agent's benchmark, in its own process: SNMP printers (one port each), ports that never answer,
 * and a broker that counts what arrives. Speaks JSON over the IPC channel.
 *
 * net-snmp's agent takes about 10 ms per request, too slow for a thousand printers. All printers have the same values,
 * so each answer is cached by request and sent again under the new request id.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import snmp from 'net-snmp';

interface Mib {
  registerProviders(providers: object[]): void;
  setScalarValue(name: string, value: unknown): void;
  addTableRow(table: string, row: unknown[]): void;
  deleteTableRow(table: string, index: unknown[]): void;
}

const { OctetString, Integer, Counter, TimeTicks, OID } = snmp.ObjectType;
const readOnly = snmp.MaxAccess['read-only'];

const scalar = (name: string, oid: string, type: number) => ({
  name,
  type: snmp.MibProviderType.Scalar,
  oid,
  scalarType: type,
  maxAccess: readOnly,
});

/** A table with one or two leading index columns, which are not accessible. */
function table(name: string, oid: string, indexes: number, columns: [number, number][]) {
  const hidden = Array.from({ length: indexes }, (_, i) => ({
    number: 200 + i,
    name: `${name}Index${i}`,
    type: Integer,
    maxAccess: snmp.MaxAccess['not-accessible'],
  }));
  return {
    name,
    type: snmp.MibProviderType.Table,
    oid,
    maxAccess: snmp.MaxAccess['not-accessible'],
    tableColumns: [
      ...hidden,
      ...columns.map(([number, type]) => ({ number, name: `${name}${number}`, type, maxAccess: readOnly })),
    ],
    tableIndex: hidden.map((column) => ({ columnName: column.name })),
  };
}

/** A bizhub with two trays, a finisher, three firmware components and eight supplies. */
function fill(mib: Mib): void {
  mib.registerProviders([
    scalar('sysDescr', '1.3.6.1.2.1.1.1', OctetString),
    scalar('sysObjectID', '1.3.6.1.2.1.1.2', OID),
    scalar('sysUpTime', '1.3.6.1.2.1.1.3', TimeTicks),
    table('hrDevice', '1.3.6.1.2.1.25.3.2.1', 1, [
      [2, OID],
      [3, OctetString],
    ]),
    table('hrPrinter', '1.3.6.1.2.1.25.3.5.1', 1, [
      [1, Integer],
      [2, OctetString],
    ]),
    table('software', '1.3.6.1.2.1.25.6.3.1', 1, [[2, OctetString]]),
    table('general', '1.3.6.1.2.1.43.5.1.1', 1, [
      [1, Counter],
      [16, OctetString],
      [17, OctetString],
    ]),
    table(
      'input',
      '1.3.6.1.2.1.43.8.2.1',
      2,
      [8, 9, 10, 13, 14, 15, 16, 17].map((number): [number, number] => [
        number,
        number < 13 ? Integer : OctetString,
      ]),
    ),
    table('supplies', '1.3.6.1.2.1.43.11.1.1', 2, [
      [3, Integer],
      [5, Integer],
      [6, OctetString],
      [7, Integer],
      [8, Integer],
      [9, Integer],
    ]),
    table('colorant', '1.3.6.1.2.1.43.12.1.1', 2, [[4, OctetString]]),
    table('cover', '1.3.6.1.2.1.43.6.1.1', 2, [[3, Integer]]),
    table(
      'output',
      '1.3.6.1.2.1.43.9.2.1',
      2,
      [7, 9, 11].map((number): [number, number] => [number, OctetString]),
    ),
    table('marker', '1.3.6.1.2.1.43.10.2.1', 2, [
      [3, Integer],
      [4, Counter],
    ]),
    table('alert', '1.3.6.1.2.1.43.18.1.1', 2, [
      ...[2, 3, 4, 5, 6, 7].map((number): [number, number] => [number, Integer]),
      [8, OctetString],
      [9, TimeTicks],
    ]),
  ]);
  mib.setScalarValue('sysDescr', 'KONICA MINOLTA bizhub C360i');
  mib.setScalarValue('sysObjectID', '1.3.6.1.4.1.18334.1.2.1.2.1');
  mib.setScalarValue('sysUpTime', 360_000);
  mib.addTableRow('hrDevice', [1, '1.3.6.1.2.1.25.3.1.5', 'KONICA MINOLTA bizhub C360i']);
  mib.addTableRow('hrPrinter', [1, 3, Buffer.from([0])]);
  for (const [i, name] of ['MFP controller G00-K4', 'Engine G00-K2', 'FS-539 G00-15'].entries()) {
    mib.addTableRow('software', [i + 1, name]);
  }
  mib.addTableRow('general', [1, 1, 'printer', 'A9KEKM0001234']);
  mib.addTableRow('input', [1, 1, 8, 500, 250, 'Tray 1', 'KM', 'PC-216', 'G00-05', 'A1A1A1']);
  mib.addTableRow('input', [1, 2, 8, 2500, -3, 'LCT', 'KM', 'LU-302', 'G00-02', 'B2B2B2']);
  mib.addTableRow('output', [1, 1, 'Tray', 'FS-539', 'F-104']);
  mib.addTableRow('marker', [1, 1, 7, 120345]);
  for (const [i, color] of ['cyan', 'magenta', 'yellow', 'black'].entries()) {
    mib.addTableRow('colorant', [1, i + 1, color]);
    mib.addTableRow('supplies', [1, i + 1, i + 1, 3, `Toner (${color})`, 19, 100, 40 + i]);
    mib.addTableRow('supplies', [1, i + 5, i + 1, 9, `Drum Cartridge (${color})`, 19, 100, 70 + i]);
  }
  mib.addTableRow('cover', [1, 1, 4]);
  mib.addTableRow('alert', [1, 2, 4, 3, 11, 1, 0, 1104, 'Toner low K', 1000]);
}

/** A free port, found by binding and closing; the agent binds it a moment later. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

/** Where the content of a BER element begins and ends. */
function element(bytes: Buffer, at: number): { from: number; to: number } {
  const first = bytes[at + 1] ?? 0;
  const more = first < 0x80 ? 0 : first & 0x7f;
  const from = at + 2 + more;
  const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
  return { from, to: from + length };
}

function wrapped(tag: number, content: Buffer): Buffer {
  const head = Buffer.from([tag, 0x82, content.length >> 8, content.length & 0xff]);
  return Buffer.concat([head, content]);
}

/** An SNMP message split into version and community, PDU type, request id, and the rest of the PDU. */
function parts(message: Buffer) {
  const whole = element(message, 0);
  const version = element(message, whole.from);
  const community = element(message, version.to);
  const pdu = element(message, community.to);
  const id = element(message, pdu.from);
  return {
    head: message.subarray(whole.from, community.to),
    kind: message[community.to] ?? 0,
    id: message.subarray(pdu.from, id.to),
    rest: message.subarray(id.to, pdu.to),
  };
}

function messageOf({ head, kind, rest }: ReturnType<typeof parts>, id: Buffer): Buffer {
  return wrapped(0x30, Buffer.concat([head, wrapped(kind, Buffer.concat([id, rest]))]));
}

const [answering = 0, silent = 0] = process.argv.slice(2).map(Number);
const agentPort = await freePort();
const agent = (
  snmp as unknown as { createAgent(options: object, done: (error: Error | null) => void): { getMib(): Mib } }
).createAgent(
  {
    disableAuthorization: true,
    accessControlModelType: snmp.AccessControlModelType.None,
    sockets: [{ transport: 'udp4', address: '127.0.0.1', port: agentPort }],
  },
  () => undefined,
);
const mib = agent.getMib();
fill(mib);

type Answer = ReturnType<typeof parts>;
const answers = new Map<string, Answer>();
/** Requests that the SNMP agent has not answered yet, by cache key: the callbacks waiting for the answer. */
const asked = new Map<string, ((answer: Answer) => void)[]>();
const toAgent = createSocket('udp4').bind(0, '127.0.0.1');
await once(toAgent, 'listening');
const keys = new Map<number, string>();
toAgent.on('message', (message) => {
  const answer = parts(message);
  const key = keys.get(answer.id.readIntBE(2, answer.id.length - 2));
  if (key === undefined) return;
  answers.set(key, answer);
  for (const give of asked.get(key) ?? []) give(answer);
  asked.delete(key);
});
function ask(request: Answer, give: (answer: Answer) => void): void {
  const key = Buffer.concat([Buffer.from([request.kind]), request.head, request.rest]).toString('latin1');
  const known = answers.get(key);
  if (known) {
    give(known);
    return;
  }
  const waiting = asked.get(key);
  if (waiting) {
    waiting.push(give);
    return;
  }
  asked.set(key, [give]);
  const id = Buffer.from([2, 4, 0, 0, 0, 0]);
  id.writeInt32BE(0x0100_0000 + keys.size, 2);
  keys.set(id.readInt32BE(2), key);
  toAgent.send(messageOf(request, id), agentPort, '127.0.0.1');
}
const printers = Array.from({ length: answering }, () => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  socket.on('message', (message, from) => {
    const request = parts(message);
    const id = Buffer.from(request.id);
    ask(request, (answer) => socket.send(messageOf(answer, id), from.port, from.address));
  });
  return socket;
});
await Promise.all(printers.map((socket) => once(socket, 'listening')));
const ports = printers.map((socket) => socket.address().port);
const deaf = Array.from({ length: silent }, () => createSocket('udp4').bind(0, '127.0.0.1'));
await Promise.all(deaf.map((socket) => once(socket, 'listening')));

const broker = await Aedes.createBroker();
const structures = new Set<string>();
const jams = new Set<string>();
/** Printers whose eight supplies have all arrived. */
const supplied = new Set<string>();
broker.on('publish', (packet, client) => {
  if (!client) return;
  if (packet.topic.endsWith('/structure')) structures.add(client.id);
  if (packet.topic.endsWith('/readings') && packet.payload.includes('"supply.8"')) supplied.add(client.id);
  if (packet.topic.endsWith('/errors') && packet.payload.includes('"J-7218"')) jams.add(client.id);
});
const server = createServer((socket) => broker.handle(socket)).listen(0, '127.0.0.1', 2_048);
await once(server, 'listening');
const address = server.address();

process.on('message', (message: { ask: string }) => {
  if (message.ask === 'jam') {
    mib.addTableRow('alert', [1, 3, 3, 5, 30, 1, 7201, 8, 'J-7218 changed', 350_000]);
    answers.clear();
  }
  if (message.ask === 'end') process.exit(0);
  process.send?.({ structures: structures.size, supplied: supplied.size, jams: jams.size });
});
process.on('disconnect', () => process.exit(0));
process.send?.({
  ports,
  silent: deaf.map((socket) => socket.address().port),
  broker: address !== null && typeof address === 'object' ? address.port : 0,
});
