/** The broker's Prometheus metrics. Values are read from the broker at each scrape. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Hub } from './hub.ts';

/** Seconds; a group commit on a disk takes from under a millisecond to a few tens. */
const WRITE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** Registers the metrics of a hub. */
export function registerMetrics(registry: Registry, hub: Hub): void {
  const gauge = (name: string, help: string, read: () => number) => {
    new Gauge({
      name: `platen_broker_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  const counter = (name: string, help: string, read: () => number) => {
    let reported = 0;
    new Counter({
      name: `platen_broker_${name}_total`,
      help,
      registers: [registry],
      collect() {
        const now = read();
        this.inc(now - reported);
        reported = now;
      },
    });
  };
  const byReason = (name: string, help: string, values: Map<string, number>) => {
    const reported = new Map<string, number>();
    new Counter({
      name: `platen_broker_${name}_total`,
      help,
      labelNames: ['reason'],
      registers: [registry],
      collect() {
        for (const [reason, now] of values) {
          this.inc({ reason }, now - (reported.get(reason) ?? 0));
          reported.set(reason, now);
        }
      },
    });
  };
  const { counters } = hub;
  gauge('connections', 'open connections', () => hub.connections.size);
  gauge('connections_waiting', 'accepted sockets that wait for their turn', () => hub.waitingConnections);
  gauge('strangers', 'sockets that have not sent CONNECT yet', () => hub.strangers);
  gauge(
    'password_checks_waiting',
    'costly password checks that wait for their turn',
    () => hub.waitingChecks,
  );
  gauge('clients_connected', 'clients with an open session', () => hub.sessions.connected);
  gauge('sessions', 'sessions, those of absent clients included', () => hub.sessions.size);
  gauge('subscriptions', 'subscriptions', () => hub.router.tree.size);
  gauge('retained_messages', 'retained documents', () => hub.retained.size);
  gauge('retained_bytes', 'bytes of retained payloads', () => hub.retained.bytes);
  gauge('queued_messages', 'messages that wait for a subscriber', () => hub.sessions.queued().messages);
  gauge('queued_bytes', 'bytes that wait for a subscriber', () => hub.router.queuedBytes);
  gauge('inbound_bytes', 'bytes of payload that wait for their acknowledgement', () => hub.inboundBytes);
  gauge('inflight_messages', 'messages sent and not yet acknowledged', () => hub.sessions.queued().inFlight);
  counter('received_bytes', 'bytes read', () => counters.bytesReceived);
  counter('sent_bytes', 'bytes written', () => counters.bytesSent);
  counter('received_packets', 'packets read', () => counters.packetsReceived);
  counter('sent_packets', 'packets written', () => counters.packetsSent);
  counter('received_publishes', 'PUBLISH packets read', () => counters.publishesReceived);
  counter('sent_publishes', 'PUBLISH packets written', () => counters.publishesSent);
  counter('connects', 'connections that were accepted', () => counters.connectsAccepted);
  counter(
    'file_repaired',
    'single flipped bits of the file that were repaired',
    () => hub.retained.damage.repaired,
  );
  counter('file_lost_places', 'places of the file where something was lost', () => hub.retained.damage.lost);
  counter('file_lost_bytes', 'bytes of the file that were lost', () => hub.retained.damage.lostBytes);
  byReason('dropped', 'messages dropped', counters.dropped);
  byReason('refused', 'connections, publishes and subscriptions refused', counters.refused);
  byReason('closed', 'connections ended', counters.closed);
  const seconds = new Histogram({
    name: 'platen_broker_retained_write_seconds',
    help: 'duration of a group write of retained documents',
    buckets: WRITE_BUCKETS,
    registers: [registry],
  });
  const changes = new Histogram({
    name: 'platen_broker_retained_write_changes',
    help: 'changes in a group write of retained documents',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000],
    registers: [registry],
  });
  hub.retained.onWritten = (durationSeconds, count) => {
    seconds.observe(durationSeconds);
    changes.observe(count);
  };
}
