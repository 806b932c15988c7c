/**
 * The link over a foreign broker, which must support MQTT 3.1.1 and shared subscriptions. Several centers share the
 * work in one group. Each has a persistent session under a stable client id, so that undelivered messages wait for it.
 * Shared subscriptions get no retained documents from some brokers (mosquitto 2.0 sends them, MQTT 5 forbids it), so
 * these are read once at the start over a separate connection; getting them twice does no harm.
 */
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { CENTER_FILTERS } from '../../schemas/topics.ts';
import type { Link, LinkHandler, PublishOptions } from './link.ts';
import { MqttPublisher } from './mqtt-publisher.ts';
import { type BrokerAddress, MqttReceiver, parseBrokerAddress, type ReceiverLog } from './mqtt-receiver.ts';

export interface MqttLinkOptions {
  /** `mqtt://user:password@host:port` or `mqtts://…`. */
  url: string;
  /** Client id of this center: the same at every start, and different for each center. */
  name: string;
  log: ReceiverLog;
}

/** The group that all centers share. */
const GROUP = 'platen-center';
const RETAINED_FILTERS = CENTER_FILTERS.filter((filter) => /\/(structure|presence)$/.test(filter));
/** The retained documents count as read when none came for this long. */
const REPLAY_QUIET_MS = 1_000;

export class MqttLink implements Link {
  readonly #options: MqttLinkOptions;
  readonly #address: BrokerAddress;
  #receiver: MqttReceiver | undefined;
  readonly #publisher: MqttPublisher;
  #replaying: Promise<void> = Promise.resolve();

  /** @throws PlatenError setting/invalid when the address is wrong */
  constructor(options: MqttLinkOptions) {
    this.#options = options;
    this.#publisher = new MqttPublisher(options.url, `${GROUP}-${options.name}-out`, options.log);
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

  /** Messages set aside since the start because the broker accepts them never. */
  get setAside(): number {
    return this.#publisher.setAside;
  }

  /** Whether the broker is connected. */
  get connected(): boolean {
    return (this.#receiver?.connected ?? false) && this.#publisher.connected;
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
      // Answers may follow the first message at once, so the publisher has to be connected first.
      await this.#publisher.start();
      await receiver.start();
    } catch (error) {
      await this.#publisher.stop();
      throw new PlatenError(
        'start/broker',
        { broker: `${host}:${port}`, reason: reasonOf(error) },
        { cause: error },
      );
    }
    this.#receiver = receiver;
    this.#replaying = this.#replay(handler).catch((error: unknown) =>
      log.warn({ reason: reasonOf(error) }, 'cannot read the retained documents; printers send theirs again'),
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
      // Live messages come over the shared subscription.
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

  publish(topic: string, payload: string | Buffer, options: PublishOptions): Promise<void> {
    return this.#publisher.publish(topic, payload, options);
  }

  async stop(): Promise<void> {
    await this.#replaying;
    await this.#receiver?.stop();
    await this.#publisher.stop();
  }
}
