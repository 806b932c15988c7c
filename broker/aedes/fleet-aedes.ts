/**
 * Aedes 1.2 with its places of fan-out and registration taken by the hub: clients get a view of the broker in which
 * those are replaced. Aedes keeps what belongs to one connection: CONNECT, keepalive, wills, the QoS 1 and 2 flows.
 */
import type { Duplex } from 'node:stream';
import { Aedes, type AedesOptions } from 'aedes';
import mqttPacket from 'mqtt-packet';
import type { AedesClient, AedesParser } from './internals.ts';

/** What the hub does in the place of Aedes. */
export interface Fanout {
  /** A client was authenticated and gets its session; ends the predecessor with the same id. */
  register(client: AedesClient): void;
  unregister(client: AedesClient): void;
}

type Done = (error?: Error | null) => void;

/** Above all levels a topic can have: the decoder has its own limit, and nothing here needs that of qlobber. */
const LEVELS_MAX = 65_536;

/** Makes Aedes and the function that hands it a connection. */
export function createAedes(options: AedesOptions, fanout: Fanout): { aedes: Aedes; handle: Handle } {
  const aedes = new Aedes(options);
  const { clients } = aedes as unknown as { clients: Record<string, AedesClient> };
  const counter = aedes as unknown as { counter: number };
  const view = Object.create(aedes, {
    maxTopicLevels: { value: LEVELS_MAX },
    // Written by aedes-packet as a property of the broker it is given; there is one counter for all.
    counter: {
      get: () => counter.counter,
      set: (value: number) => {
        counter.counter = value;
      },
    },
  });
  Object.assign(view, {
    publish(_packet: unknown, client: unknown, done?: Done) {
      // Routed already, in authorizePublish: there the acknowledgement waits for it. What Aedes itself publishes
      // about clients under $SYS/<uuid>/ isn't what mosquitto names it, so nobody gets it.
      if (typeof client === 'function') client();
      else done?.();
    },
    registerClient(client: AedesClient) {
      fanout.register(client);
      clients[client.id] = client;
    },
    unregisterClient(client: AedesClient) {
      if (clients[client.id] === client) delete clients[client.id];
      fanout.unregister(client);
    },
  });
  const handle: Handle = (socket) => {
    // Aedes makes a parser for each connection, a stream with a stream in it, which the Wire would throw away at
    // once. Nothing else runs while it is replaced.
    makers.parser = noParser;
    try {
      const client = aedes.handle(socket) as unknown as AedesClient;
      client.broker = view;
      return client;
    } finally {
      makers.parser = usualParser;
    }
  };
  return { aedes, handle };
}

/** Stands where Aedes keeps its parser until the Wire takes its place: only the listener for packets is wanted. */
class NoParser implements AedesParser {
  client!: AedesClient;
  _queue: unknown[] | null = null;
  #listener: ((packet: unknown) => void)[] = [];

  on(event: string, listener: (packet: unknown) => void): void {
    if (event === 'packet') this.#listener = [listener];
  }

  listeners(): ((packet: unknown) => void)[] {
    return this.#listener;
  }

  removeAllListeners(): void {}
}

/** The place of mqtt-packet's maker of parsers; mutable, because Aedes looks there at each connection. */
const makers: { parser: unknown } = mqttPacket;
const usualParser = mqttPacket.parser;
const noParser = () => new NoParser();

export type Handle = (socket: Duplex) => AedesClient;
