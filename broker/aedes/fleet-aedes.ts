/**
 * Aedes 1.2 with its places of fan-out, sessions and registration taken by the hub. Every client gets a view of the
 * broker that knows the client, because Aedes names only topic and function where the fan-out must know whose
 * subscription it is and with which QoS (`lib/handlers/subscribe.js`, addSubs: the granted QoS is lost).
 */
import type { Duplex } from 'node:stream';
import { Aedes, type AedesOptions } from 'aedes';
import type { QoS } from '../retained-backend.ts';
import type { AedesClient } from './internals.ts';

/** What the hub does in the place of Aedes. */
export interface Fanout {
  /** A client was authenticated and gets its session; ends the predecessor with the same id. */
  register(client: AedesClient): void;
  unregister(client: AedesClient): void;
  subscribe(client: AedesClient, filter: string, qos: QoS): void;
  unsubscribe(client: AedesClient, filter: string): void;
}

type Done = (error?: Error | null) => void;

/** Above all levels a topic can have: the decoder has its own limit, and nothing here needs that of qlobber. */
const LEVELS_MAX = 65_536;

/** The `this` of a client's view of the broker; everything else in it comes from Aedes by prototype. */
interface View {
  viewer: AedesClient;
}

/** Makes Aedes and the function that hands it a connection. */
export function createAedes(options: AedesOptions, fanout: Fanout): { aedes: Aedes; handle: Handle } {
  const aedes = new Aedes(options);
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
    subscribe(this: View, filter: string, _deliver: unknown, done?: Done) {
      const subscription = this.viewer.subscriptions[filter];
      if (subscription) {
        // The hub delivers; the closure that Aedes made for it need not be kept.
        subscription.func = undefined;
        fanout.subscribe(this.viewer, filter, subscription.qos);
      }
      done?.();
    },
    unsubscribe(this: View, filter: string, _deliver: unknown, done?: Done) {
      // A client that closes unsubscribes from everything in Aedes; what its session keeps is for the hub to say.
      if (!this.viewer.closed) fanout.unsubscribe(this.viewer, filter);
      done?.();
    },
    publish(this: View, _packet: unknown, client: unknown, done?: Done) {
      // Routed already, in authorizePublish: there the acknowledgement waits for it. What Aedes itself publishes
      // about clients under $SYS/<uuid>/ isn't what mosquitto names it, so nobody gets it.
      if (typeof client === 'function') client();
      else done?.();
    },
    registerClient(this: View, client: AedesClient) {
      fanout.register(client);
    },
    unregisterClient(this: View, client: AedesClient) {
      fanout.unregister(client);
    },
  });
  const handle: Handle = (socket) => {
    const client = aedes.handle(socket) as unknown as AedesClient;
    const own = Object.create(view) as View;
    own.viewer = client;
    client.broker = own;
    return client;
  };
  return { aedes, handle };
}

export type Handle = (socket: Duplex) => AedesClient;
