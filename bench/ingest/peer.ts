/**
 * What one would build without this product: an mqtt.js consumer that writes to Postgres, with one insert per message
 * or one statement for all messages that arrived meanwhile. It checks and judges nothing.
 */
import mqtt from 'mqtt';
import pg from 'pg';

interface Entry {
  seq: number;
  at: string;
  code: string;
  severity: string;
  unit?: string;
  pages?: number;
  detail?: object;
}

interface Batch {
  log: string;
  entries: Entry[];
}

const [mode, broker, database] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database as string, max: 10 });
const INSERT = `INSERT INTO peer_entries (printer, log, seq, at, code, severity, unit, pages, detail)
  SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                       $8::int8[], $9::jsonb[])
  ON CONFLICT DO NOTHING`;

function columns(messages: { printer: string; batch: Batch }[]): unknown[][] {
  const result: unknown[][] = [[], [], [], [], [], [], [], [], []];
  for (const { printer, batch } of messages) {
    for (const entry of batch.entries) {
      const row = [
        printer,
        batch.log,
        entry.seq,
        entry.at,
        entry.code,
        entry.severity,
        entry.unit ?? null,
        entry.pages ?? null,
        entry.detail === undefined ? null : JSON.stringify(entry.detail),
      ];
      row.forEach((value, index) => {
        result[index]?.push(value);
      });
    }
  }
  return result;
}

async function insert(messages: { printer: string; batch: Batch }[]): Promise<void> {
  await pool.query({ name: 'insert', text: INSERT, values: columns(messages) });
}

const waiting: { printer: string; batch: Batch }[] = [];
let writing = false;
async function writeBatches(): Promise<void> {
  if (writing) return;
  writing = true;
  while (waiting.length > 0) await insert(waiting.splice(0, 5_000));
  writing = false;
}

const client = await mqtt.connectAsync(broker as string, { clientId: `peer-${mode}` });
client.on('message', (topic, payload) => {
  const message = { printer: topic.split('/')[3] as string, batch: JSON.parse(payload.toString()) as Batch };
  const failed = (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  };
  if (mode === 'single') insert([message]).catch(failed);
  else {
    waiting.push(message);
    writeBatches().catch(failed);
  }
});
await client.subscribeAsync('platen/v1/printers/+/errors', { qos: 1 });
process.stdout.write('ready\n');
