/**
 * Reads a Bambu printer, which runs an MQTT broker: TLS on 8883, user `bblp`, the access code as password. It sends
 * only read requests (`get_version`, occasionally `pushall`) and never changes anything.
 */
import { connect as connectTls, type TLSSocket } from 'node:tls';
import mqtt, { type MqttClient } from 'mqtt';
import { type BambuState, bambuReading, mergeReport } from '../../mapping/bambu-reading.ts';
import type { Reading } from '../../mapping/reading.ts';
import type { FoundReadings } from '../../mapping/readings/found-readings.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import type { QuickReading, Reader } from '../reader.ts';

export interface BambuAccess {
  host: string;
  port: number;
  serial: string;
  accessCode: string;
  /** SHA-256 of the only accepted certificate. No known authority signs the printer's own. */
  fingerprint?: string;
  timeoutMs?: number;
}

/** Fields of `print` to keep. The rest (temperatures, every second) is not needed. */
const KEPT = new Set([
  ...['hms', 'print_error', 'gcode_state', 'upgrade_state'],
  ...['ams', 'vt_tray', 'vir_slot', 'nozzle_type', 'nozzle_diameter', 'device', 'net'],
]);

export class BambuReader implements Reader {
  readonly kind = 'bambu';
  readonly url: string;
  private readonly access: BambuAccess;
  private readonly state: BambuState;
  private client: MqttClient | undefined;
  private connecting: Promise<MqttClient> | undefined;
  private sequence = 0;
  private pushedAllMs = Number.NEGATIVE_INFINITY;
  private nudge: (() => void) | undefined;
  private versions: (() => void)[] = [];
  private reports: (() => void)[] = [];
  private modulesText = '';

  constructor(access: BambuAccess) {
    this.access = access;
    this.url = `bambu://${access.serial}@${access.host}:${access.port}`;
    this.state = { serial: access.serial, modules: [], print: {} };
  }

  private get timeoutMs(): number {
    return this.access.timeoutMs ?? DRIVER_LIMITS.ippRequestMs;
  }

  private connected(): Promise<MqttClient> {
    if (this.client?.connected) return Promise.resolve(this.client);
    this.connecting ??= this.connect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  /** Opens TLS, compares the certificate before the access code is sent, then speaks MQTT over it. */
  private async connect(): Promise<MqttClient> {
    this.client?.end(true);
    const socket = await this.secure();
    // A custom stream, so that the certificate is checked before any secret is sent.
    const client = new mqtt.MqttClient(() => socket, {
      protocolVersion: 4,
      username: 'bblp',
      password: this.access.accessCode,
      clientId: `platen-${Math.random().toString(36).slice(2, 10)}`,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: this.timeoutMs,
    });
    client.on('message', (topic, payload) => this.take(topic, payload));
    await new Promise<void>((resolve, reject) => {
      const fail = (error?: Error) => {
        client.end(true);
        reject(error ?? new Error('the printer closed the connection'));
      };
      client.once('error', fail);
      client.once('close', () => fail());
      client.once('connect', () => {
        client.subscribe(`device/${this.access.serial}/report`, { qos: 0 }, (error) =>
          error ? fail(error) : resolve(),
        );
      });
    });
    client.removeAllListeners('error');
    client.removeAllListeners('close');
    // A later failure shows in `connected`, and the next read reconnects.
    client.on('error', () => client.end(true));
    this.client = client;
    return client;
  }

  private secure(): Promise<TLSSocket> {
    const { host, port, fingerprint } = this.access;
    return new Promise((resolve, reject) => {
      const socket = connectTls({ host, port, rejectUnauthorized: false }, () => {
        socket.setTimeout(0);
        const shown = (socket.getPeerCertificate().fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
        if (fingerprint !== undefined && shown !== fingerprint.replaceAll(':', '').toLowerCase()) {
          socket.destroy(new Error('the printer shows another certificate than the one that is pinned'));
          return;
        }
        socket.off('error', reject);
        resolve(socket);
      });
      socket.setTimeout(this.timeoutMs, () =>
        socket.destroy(new Error(`no answer within ${this.timeoutMs} ms`)),
      );
      socket.on('error', reject);
    });
  }

  private take(topic: string, payload: Buffer): void {
    if (
      topic !== `device/${this.access.serial}/report` ||
      payload.length > DRIVER_LIMITS.bambuMessageBytesMax
    )
      return;
    let message: unknown;
    try {
      message = JSON.parse(payload.toString('utf8'));
    } catch {
      return; // A truncated message: the next report repeats it.
    }
    if (typeof message !== 'object' || message === null) return;
    const { info, print } = message as { info?: { command?: unknown; module?: unknown }; print?: unknown };
    if (info?.command === 'get_version' && Array.isArray(info.module)) {
      this.state.modules = info.module.slice(0, 256);
      for (const done of this.versions.splice(0)) done();
    }
    if (typeof print === 'object' && print !== null) {
      const before = JSON.stringify([this.state.print['hms'], this.state.print['print_error']]);
      mergeReport(
        this.state.print,
        Object.fromEntries(Object.entries(print).filter(([name]) => KEPT.has(name))),
      );
      for (const done of this.reports.splice(0)) done();
      if (before !== JSON.stringify([this.state.print['hms'], this.state.print['print_error']]))
        this.nudge?.();
    }
  }

  private request(client: MqttClient, body: object): void {
    client.publish(`device/${this.access.serial}/request`, JSON.stringify(body), { qos: 0 });
  }

  /** Waits for the next message of a kind, up to the request timeout. */
  private next(waiting: (() => void)[]): Promise<boolean> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        const at = waiting.indexOf(done);
        if (at >= 0) waiting.splice(at, 1);
        resolve(false);
      }, this.timeoutMs);
      waiting.push(done);
    });
  }

  async read(): Promise<Reading> {
    const client = await this.connected();
    const waits = [this.next(this.versions)];
    this.request(client, { info: { sequence_id: String(this.sequence++), command: 'get_version' } });
    // A full state is heavy work for the printer: request it at most every five minutes. In between the printer pushes
    // changes.
    if (Date.now() - this.pushedAllMs >= DRIVER_LIMITS.bambuPushAllMs) {
      this.pushedAllMs = Date.now();
      waits.push(this.next(this.reports));
      this.request(client, { pushing: { sequence_id: String(this.sequence++), command: 'pushall' } });
    }
    const [version] = await Promise.all(waits);
    if (!version && this.state.modules.length === 0)
      throw new Error('no answer to get_version: is the access code right, is LAN access on?');
    this.modulesText = JSON.stringify(this.state.modules);
    return bambuReading(this.state);
  }

  /** The pushed state. While connected, it is current. */
  async readQuick(): Promise<QuickReading> {
    await this.connected();
    const { conditions, conditionsWhole, counters } = bambuReading(this.state);
    return {
      conditions,
      conditionsWhole,
      counters,
      structureMayDiffer: JSON.stringify(this.state.modules) !== this.modulesText,
    };
  }

  /** From the pushed state, like `readQuick`. */
  async readReadings(): Promise<FoundReadings | undefined> {
    await this.connected();
    return bambuReading(this.state).measured;
  }

  onNudge(nudge: () => void): void {
    this.nudge = nudge;
  }

  async close(): Promise<void> {
    await this.client?.endAsync(true);
    this.client = undefined;
  }
}
