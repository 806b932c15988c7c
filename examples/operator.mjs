// An operator in a few lines: sends one request to the center and prints the reply.
//   node examples/operator.mjs mqtt://127.0.0.1:1883 .platen/admin.json printers.list '{"limit":5}'
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import mqtt from 'mqtt';

const [url, file, method, params = '{}'] = process.argv.slice(2);
if (!method) {
  console.error("usage: node examples/operator.mjs URL CREDENTIALS METHOD ['{PARAMS}']");
  process.exit(2);
}
const { username, password } = JSON.parse(readFileSync(file, 'utf8'));
const client = await mqtt.connectAsync(url, { username, password });
const id = randomUUID();
const reply = new Promise((resolve) =>
  client.on('message', (_topic, payload) => resolve(JSON.parse(payload))),
);
await client.subscribeAsync(`platen/v1/ops/${username}/reply/${id}`, { qos: 1 });
await client.publishAsync(
  `platen/v1/ops/${username}/request/${method}`,
  JSON.stringify({ id, params: JSON.parse(params) }),
  { qos: 1 },
);
const { status, data, error } = await reply;
console.log(JSON.stringify(status === 'error' ? error : data, null, 2));
await client.endAsync();
process.exitCode = status === 'error' ? 1 : 0;
