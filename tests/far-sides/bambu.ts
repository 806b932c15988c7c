/**
 * A simulated Bambu printer: a broker over TLS that answers `get_version` and `pushall` in the documented form, pushes
 * the reports that a test sets, and records every command.
 */
import { once } from 'node:events';
import { createServer } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { Aedes } from 'aedes';

export const SERIAL = '00M09A351100110';
export const ACCESS_CODE = '12345678';

export interface BambuModule {
  name: string;
  sn: string;
  sw_ver: string;
  hw_ver: string;
  product_name?: string;
}

export const MODULES: BambuModule[] = [
  { name: 'ota', sn: SERIAL, sw_ver: '01.08.02.00', hw_ver: 'OTA', product_name: 'X1 Carbon' },
  { name: 'mc', sn: 'MC-1', sw_ver: '00.00.30.70', hw_ver: 'MC07' },
  { name: 'th', sn: 'TH-1', sw_ver: '00.00.09.20', hw_ver: 'TH07' },
  { name: 'ams/0', sn: 'AMS-1', sw_ver: '00.00.06.44', hw_ver: 'AMS08', product_name: 'AMS' },
];

export interface BambuPrinter {
  port: number;
  /** SHA-256 of its certificate. */
  fingerprint: string;
  /** Commands received, in order. */
  asked: string[];
  modules: BambuModule[];
  /** Pushes a report. */
  push(print: object): void;
  stop(): Promise<void>;
}

/** A self-signed certificate, as the printers have. */
async function certificate(): Promise<{ key: string; cert: string }> {
  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${SERIAL}`,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    cert: made.toString('pem'),
  };
}

export async function startBambuPrinter(): Promise<BambuPrinter> {
  const broker = await Aedes.createBroker();
  const { key, cert } = await certificate();
  const asked: string[] = [];
  const state = { hms: [] as object[], gcode_state: 'IDLE', print_error: 0 };
  const printer = { modules: MODULES };
  const report = (body: object) =>
    broker.publish(
      {
        cmd: 'publish',
        topic: `device/${SERIAL}/report`,
        payload: Buffer.from(JSON.stringify(body)),
        qos: 0,
        retain: false,
        dup: false,
      },
      () => undefined,
    );
  broker.authenticate = (_client, user, password, done) =>
    done(null, user === 'bblp' && password?.toString() === ACCESS_CODE);
  broker.on('publish', (packet, client) => {
    if (!client || packet.topic !== `device/${SERIAL}/request`) return;
    const message = JSON.parse(packet.payload.toString()) as {
      info?: { command: string };
      pushing?: { command: string };
    };
    const command = message.info?.command ?? message.pushing?.command ?? 'other';
    asked.push(command);
    if (command === 'get_version') report({ info: { command, sequence_id: '0', module: printer.modules } });
    if (command === 'pushall') report({ print: { command: 'push_status', ...state } });
  });
  const server = createServer({ key, cert }, (socket) => broker.handle(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    fingerprint: Buffer.from(
      await crypto.subtle.digest('SHA-256', new x509.X509Certificate(cert).rawData),
    ).toString('hex'),
    asked,
    get modules() {
      return printer.modules;
    },
    set modules(modules) {
      printer.modules = modules;
    },
    push: (print) => {
      Object.assign(state, print);
      report({ print: { command: 'push_status', ...print } });
    },
    stop: async () => {
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
