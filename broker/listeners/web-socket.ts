/** MQTT over WebSocket (MQTT 3.1.1, section 6), at one path of somebody else's HTTP server. */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Origin } from '../aedes/wire.ts';
import { plainAddress } from './sockets.ts';

export interface WebSocketOptions {
  path: string;
  /** A frame may hold a whole packet. */
  frameBytesMax: number;
  /** Calls `begin` now or later, or `turnAway`. */
  enter(address: string, begin: () => void, turnAway: () => void, socket: Duplex): void;
  serve(socket: Duplex, origin: Origin): void;
}

/** Attaches to a server; the returned function detaches. Upgrades at other paths are left to others. */
export function attachWebSocket(server: HttpServer, options: WebSocketOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    // The protocol is called mqtt [MQTT-6.0.0-3], [MQTT-6.0.0-4]; mqttv3.1 is what MQTT 3.1 clients ask for.
    handleProtocols: (offered) => ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false,
    maxPayload: options.frameBytesMax,
    perMessageDeflate: false,
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if ((request.url ?? '').split('?')[0] !== options.path) return;
    const address = plainAddress(request.socket.remoteAddress);
    const ignore = () => socket.destroy();
    socket.on('error', ignore);
    const turnAway = () => {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
    };
    const begin = () => {
      socket.off('error', ignore);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        // Control packets travel in binary frames only [MQTT-6.0.0-1].
        webSocket.on('message', (_, binary) => {
          if (!binary) webSocket.terminate();
        });
        const stream = createWebSocketStream(webSocket);
        options.serve(stream, { listener: 'ws', address, certificateName: undefined });
      });
    };
    options.enter(address, begin, turnAway, socket);
  };
  server.on('upgrade', upgrade);
  return () => {
    server.off('upgrade', upgrade);
    sockets.close();
  };
}
