/**
 * The agent's transport over mqtt.js: mqtt://, mqtts://, ws://, wss://.
 *
 * Every connection is a new client, and the reconnect of mqtt.js is off: its store would send in-flight messages again
 * after a reconnect, so that a stale retained structure would replace the new one. The agent knows what to repeat.
 */
import mqtt, { type IClientOptions } from 'mqtt';
import { sendAtOnce } from '../base/no-delay.ts';
import { FAREWELL_MS } from './limits.ts';
import { type Connection, ConnectionRefused, type Transport } from './transport.ts';

export interface MqttTransportOptions {
  url: string;
  /** Certificate authority in PEM for mqtts:// and wss://; the system's by default. */
  ca?: string;
}

const CONNACK_REASONS: Record<number, string> = {
  1: 'the broker does not speak MQTT 3.1.1',
  2: 'the broker refuses the client id',
  3: 'the broker is unavailable',
  4: 'the broker refuses the user name or password',
  5: 'the broker does not authorize this printer',
};

/** Meaning of CONNACK return codes (MQTT 3.1.1, table 3.1). */
export function connackReason(returnCode: number): string {
  return CONNACK_REASONS[returnCode] ?? `the broker refuses with return code ${returnCode}`;
}

function refusal(error: Error): Error {
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'number' && code >= 1 && code <= 5
    ? new ConnectionRefused(code, connackReason(code))
    : error;
}

/** A transport that reaches the broker at `url`. */
export function mqttTransport(transport: MqttTransportOptions): Transport {
  return {
    connect(options, events): Connection {
      const settings: IClientOptions = {
        protocolVersion: 4,
        clientId: options.clientId,
        username: options.username,
        password: options.password,
        clean: true,
        keepalive: options.keepalive,
        connectTimeout: options.timeoutMs,
        reconnectPeriod: 0,
        resubscribe: false,
        will: { ...options.will, payload: Buffer.from(options.will.payload), qos: 1, retain: true },
        ...(transport.ca === undefined ? {} : { ca: transport.ca }),
      };
      const client = mqtt.connect(transport.url, settings);
      sendAtOnce(client);
      let open = true;
      let reason: Error | undefined;
      const closed = (why?: Error) => {
        if (!open) return;
        open = false;
        client.end(true);
        events.closed(why);
      };
      client.on('connect', () => {
        if (!open) return;
        client.subscribe(options.filters, { qos: 1 }, (error, granted) => {
          const refused = granted?.find((grant) => grant.qos === 128);
          if (refused)
            closed(new ConnectionRefused(128, `the broker refuses the subscription ${refused.topic}`));
          else if (error) closed(error);
        });
        events.connected();
      });
      client.on('message', (topic, payload) => {
        if (open) events.message(topic, payload);
      });
      client.on('error', (error) => {
        reason = refusal(error);
      });
      client.on('close', () => closed(reason ?? new Error('the connection was closed')));
      return {
        publish(topic, payload, retain, acknowledged) {
          client.publish(topic, payload, { qos: 1, retain }, (error) => {
            if (open && !error) acknowledged();
          });
        },
        end() {
          open = false;
          client.end(false);
          // It waits for acknowledgements. A broker that sends none must not hold the socket for ever.
          setTimeout(() => client.end(true), FAREWELL_MS).unref();
        },
        cut() {
          client.stream.destroy();
        },
      };
    },
  };
}
