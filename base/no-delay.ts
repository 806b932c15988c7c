/**
 * TCP_NODELAY for clients of mqtt.js, which leaves Nagle's algorithm on: an acknowledgement or a small publish then waits
 * up to 40 ms for the other side's delayed ACK.
 */
import type { MqttClient } from 'mqtt';

/** Sets TCP_NODELAY on every connection of the client. Over WebSockets `ws` does so itself. */
export function sendAtOnce(client: MqttClient): void {
  const set = () => {
    const { stream } = client as { stream: { setNoDelay?: (on: boolean) => unknown } };
    stream.setNoDelay?.(true);
  };
  if (client.connected) set();
  client.on('connect', set);
}
