/**
 * The link over a foreign broker, for any MQTT 3.1.1 broker that knows shared subscriptions. Several centers share the
 * work under one group name; each has a session of its own, under a name that stays, so that what the broker couldn't
 * deliver waits for it. Retained documents don't reach shared subscriptions at every broker (mosquitto 2.0 sends
 * them, MQTT 5 forbids it): they are read once, beside it, at the start, which does no harm where they come twice.
 */
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { CENTER_FILTERS } from '../../schemas/topics.ts';
import { CENTER_LIMITS } from '../limits.ts';
import type { Link, LinkHandler, PublishOptions } from './link.ts';
import { type BrokerAddress, MqttReceiver, parseBrokerAddress, type ReceiverLog } from './mqtt-receiver.ts';

export interface MqttLinkOptions {
  /** `mqtt://user:password@host:port` or `mqtts://…`. */
  url: string;
  /** Names this center at the broker; it must stay the same from start to start and differ between centers. */
  name: string;
  log: ReceiverLog;
}

/** The group that all centers share. */
const GROUP = 'platen-center';
const RETAINED_FILTERS = CENTER_FILTERS.filter((filter) => /\/(structure|presence)$/.test(filter));
/** The retained documents are read when none came for so long. */
const REPLAY_QUIET_MS = 1_000;

export class MqttLink implements Link {
  readonly #options: MqttLinkOptions;
  readonly #address: BrokerAddress;
  #receiver: MqttReceiver | undefined;
  #publisher: MqttClient | undefined;
  #replaying: Promise<void> = Promise.resolve();
  #publishing = 0;

  /** @throws PlatenError setting/invalid when the address is wrong */
  constructor(options: MqttLinkOptions) {
    this.#options = options;
    try {
      this.#address = parseBrokerAddress(options.url);
    } catch (error) {
      throw new PlatenError('setting/invalid', {
        name: '--broker',
        reason: reasonOf(error),
        hint: 'Give an address such as mqtt://user:password@host:1883.',
      });
    }
  }

  /** Whether the broker is there at the moment. */
  get connected(): boolean {
    return (this.#receiver?.connected ?? false) && (this.#publisher?.connected ?? false);
  }

  /** @throws PlatenError start/broker when the broker can't be reached or refuses us */
  async start(handler: LinkHandler): Promise<void> {
    const { name, log } = this.#options;
    const { host, port } = this.#address;
    const receiver = new MqttReceiver({
      address: this.#address,
      clientId: `${GROUP}-${name}`,
      persistent: true,
      filters: CENTER_FILTERS.map((filter) => `$share/${GROUP}/${filter}`),
      qos: 1,
      handler,
      log,
    });
    try {
      // What is heard is answered at once: the way out has to be there first.
      const out: IClientOptions = {
        clientId: `${GROUP}-${name}-out`,
        clean: true,
        protocolVersion: 4,
        reconnectPeriod: 500,
      };
      this.#publisher = await mqtt.connectAsync(this.#options.url, out, false);
      this.#publisher.on('error', (error) =>
        log.warn({ reason: reasonOf(error) }, 'publishing to the broker fails'),
      );
      await receiver.start();
    } catch (error) {
      await this.#publisher?.endAsync(true);
      throw new PlatenError(
        'start/broker',
        { broker: `${host}:${port}`, reason: reasonOf(error) },
        { cause: error },
      );
    }
    this.#receiver = receiver;
    this.#replaying = this.#replay(handler).catch((error: unknown) =>
      log.warn(
        { reason: reasonOf(error) },
        'retained documents could not be read; printers send theirs again',
      ),
    );
  }

  /** Reads the retained structures and presences once. */
  async #replay(handler: LinkHandler): Promise<void> {
    const replay = new MqttReceiver({
      address: this.#address,
      clientId: `${GROUP}-${this.#options.name}-replay`,
      persistent: false,
      filters: RETAINED_FILTERS,
      qos: 1,
      // What is said just now comes over the shared subscription.
      handler: (message) => (message.replayed ? handler(message) : Promise.resolve(undefined)),
      log: this.#options.log,
    });
    await replay.start();
    const quiet = () => Date.now() - replay.lastHeard_ms;
    while (replay.connected && quiet() < REPLAY_QUIET_MS) {
      await new Promise((resolve) => setTimeout(resolve, REPLAY_QUIET_MS / 5));
    }
    await replay.stop();
  }

  async publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    if (!this.#publisher) throw new Error('the link has not started');
    if (this.#publishing >= CENTER_LIMITS.link_publishing_max) {
      throw new Error(`more than ${CENTER_LIMITS.link_publishing_max} messages wait for the broker`);
    }
    this.#publishing += 1;
    try {
      await this.#publisher.publishAsync(topic, payload, options);
    } finally {
      this.#publishing -= 1;
    }
  }

  async stop(): Promise<void> {
    await this.#replaying;
    await this.#receiver?.stop();
    await this.#publisher?.endAsync();
  }
}
