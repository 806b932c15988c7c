// A printer in a few lines: it connects, reports its structure and one error, and prints what comes back.
//   node examples/printer.mjs mqtt://127.0.0.1:1883 office-7 PASSWORD
import { randomUUID } from 'node:crypto';
import mqtt from 'mqtt';

const [url, printer, password] = process.argv.slice(2);
if (!password) {
  console.error(
    'usage: node examples/printer.mjs URL PRINTER PASSWORD   (platen enroll PRINTER prints a password)',
  );
  process.exit(2);
}
const topic = (name) => `platen/v1/printers/${printer}/${name}`;
const session = randomUUID();
const now = () => new Date().toISOString();
const presence = (state) => JSON.stringify({ state, session, at: now() });

const client = mqtt.connect(url, {
  clientId: printer,
  username: printer,
  password,
  // The broker tells the center when the connection is lost.
  will: { topic: topic('presence'), payload: presence('offline'), qos: 1, retain: true },
});

client.on('connect', async () => {
  await client.subscribeAsync([topic('verdict'), topic('order'), topic('errors/ack')], { qos: 1 });
  await client.publishAsync(topic('presence'), presence('online'), { qos: 1, retain: true });
  const structure = {
    session,
    revision: 1,
    at: now(),
    reason: 'connect',
    apparatus: {
      model: 'C360',
      serial: 'A7X0021',
      hardware: '2.0',
      software: [{ id: 'acme.controller', vendor: 'acme', version: '3.1.0' }],
    },
    units: [
      {
        symbol: 'engine',
        kind: 'engine',
        model: 'EN-36',
        hardware: '1.1',
        software: [{ id: 'acme.engine', vendor: 'acme', version: '2.4.0' }],
      },
    ],
  };
  await client.publishAsync(topic('structure'), JSON.stringify(structure), { qos: 1, retain: true });
  const entry = { seq: 1, at: now(), code: 'J-7201', severity: 'error', unit: 'engine', pages: 120345 };
  const batch = { log: session, first: 1, reason: 'event', entries: [entry] };
  // This resolves with PUBACK: the entry is on the center's disk now.
  await client.publishAsync(topic('errors'), JSON.stringify(batch), { qos: 1 });
  console.log('the center has the entry on disk');
});

client.on('message', (name, payload) => {
  if (payload.length > 0) console.log(name.slice(topic('').length), payload.toString());
});
client.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
  client.end();
});
process.on('SIGINT', () => client.end());
process.on('SIGTERM', () => client.end());
