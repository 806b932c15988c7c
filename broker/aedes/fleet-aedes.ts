/**
 * Aedes 1.2 with its places of CONNECT, fan-out and registration taken by the hub: clients get a view of the broker in
 * which those are replaced. Aedes keeps what belongs to one connection: its end, wills, the QoS 1 and 2 flows.
 */
import type { Duplex } from 'node:stream';
import { Aedes, type AedesOptions } from 'aedes';
import mqttPacket from 'mqtt-packet';
import type { ConnectPacket } from '../../mqtt/packet.ts';
import type { Wire } from '../connection/wire.ts';
import type { AedesClient, AedesParser } from './internals.ts';

/** What the hub does in the place of Aedes. */
export interface Fanout {
  unregister(client: AedesClient): void;
}

type Done = (error?: Error | null) => void;

/** Above all levels a topic can have: the decoder has its own limit, and nothing here needs that of qlobber. */
const LEVELS_MAX = 65_536;

/** Makes Aedes and the function that hands it a connection. */
export function createAedes(options: AedesOptions, fanout: Fanout): { aedes: Aedes; handle: Handle } {
  const aedes = new Aedes(options);
  const counter = aedes as unknown as { counter: number };
  const view = Object.create(aedes, {
    // Aedes looks for a client here before it unregisters it. Whether it holds a session is for the hub to know, and a
    // property for each id would cost the storm as much as its subscriptions.
    clients: { value: new Proxy({}, { get: () => true }) },
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
    unregisterClient(client: AedesClient) {
      fanout.unregister(client);
    },
  });
  const handle: Handle = (wire) => {
    // Aedes makes a parser for each connection, a stream with a stream in it, which the Wire would throw away at
    // once. Nothing else runs while it is replaced.
    makers.parser = noParser;
    try {
      const client = aedes.handle(wire as unknown as Duplex) as unknown as AedesClient;
      client.broker = view;
      letGo(client);
      return client;
    } finally {
      makers.parser = usualParser;
    }
  };
  return { aedes, handle };
}

/** What no client has of its own here: the hub holds subscriptions, and nothing is delivered through Aedes. */
const NOTHING = Object.freeze(Object.create(null) as Record<string, never>);
const nothingToEnd = () => {};

/**
 * Lets go of what Aedes makes for each client and nobody uses: the end of the connection is told by the Wire, which
 * Node's `finished` can't hear. Whoever is connected keeps its memory for as long, and each scavenge copies it.
 */
function letGo(client: AedesClient): void {
  client._eos = nothingToEnd;
  client.subscriptions = NOTHING;
  client.duplicates = NOTHING;
}

/**
 * CONNECT came, and somebody will be asked about it. With `letIn` all that Aedes does for CONNECT: there it is a series
 * of nine steps with promises in between, each of which would ask the hub for what the hub knows already.
 */
export function begin(client: AedesClient, { clientId, protocolVersion, will }: ConnectPacket): void {
  if (client._connectTimer) clearTimeout(client._connectTimer);
  client._connectTimer = null;
  client.connecting = true;
  client.id = clientId;
  // Sessions that are kept are the hub's.
  client.clean = true;
  client.version = protocolVersion;
  client._will = will ?? null;
}

/** The client is who it says to be: from now on its end is told. */
export function known(client: AedesClient): void {
  client._authorized = true;
}

/** Its CONNECT is accepted: from now on its end publishes its will. */
export function letIn(client: AedesClient): void {
  client.will = client._will;
  client.connackSent = true;
  client.connecting = false;
  client.connected = true;
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

/** Makes the Aedes client of a connection. */
export type Handle = (wire: Wire) => AedesClient;
