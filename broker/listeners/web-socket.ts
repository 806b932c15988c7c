/** MQTT over WebSocket (MQTT 3.1.1, section 6), at one path of an existing HTTP server. */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Origin } from '../connection/connection.ts';
import { plainAddress } from './sockets.ts';

export interface WebSocketOptions {
  path: string;
  /** A frame may hold a whole packet. */
  frameBytesMax: number;
  /** Bytes of an incomplete message before CONNECT was accepted. Strangers get less memory. */
  strangerBytesMax: number;
  /** Calls `begin`, now or later, or `turnAway`. `begin` gets a function to call when CONNECT was read. */
  enter(address: string, begin: (heard: () => void) => void, turnAway: () => void, socket: Duplex): void;
  /** An upgrade was for another path. */
  wrongPath(address: string): void;
  /** Serves the socket. */
  serve(socket: Duplex, origin: Origin): ServedConnection;
}

/** Refuses an upgrade. Doesn't wait for the peer, which may never close its side. */
function end(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

/** A connection as far as this file uses it. */
export interface ServedConnection {
  /** CONNECT was accepted. */
  readonly connected: boolean;
  /** Why it ends. */
  reason: string | undefined;
}

/**
 * Attaches to a server; the returned function detaches. An upgrade at another path is answered 404 and closed at once.
 * Node would leave such a socket open for ever, outside of every limit.
 */
export function attachWebSocket(server: HttpServer, options: WebSocketOptions): () => void {
  const sockets = new WebSocketServer({
    noServer: true,
    // The protocol is called mqtt [MQTT-6.0.0-3], [MQTT-6.0.0-4]; mqttv3.1 is what MQTT 3.1 clients ask for.
    handleProtocols: (offered) => ['mqtt', 'mqttv3.1'].find((name) => offered.has(name)) ?? false,
    maxPayload: options.frameBytesMax,
    perMessageDeflate: false,
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const address = plainAddress(request.socket.remoteAddress);
    const ignore = () => socket.destroy();
    socket.on('error', ignore);
    if ((request.url ?? '').split('?')[0] !== options.path) {
      options.wrongPath(address);
      end(socket, '404 Not Found');
      return;
    }
    const turnAway = () => {
      end(socket, '503 Service Unavailable');
    };
    const begin = (heard: () => void) => {
      socket.off('error', ignore);
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        let unfinishedBytes = 0;
        // Control packets travel in binary frames only [MQTT-6.0.0-1].
        webSocket.on('message', (_, binary) => {
          unfinishedBytes = 0;
          if (!binary) webSocket.terminate();
        });
        const stream = createWebSocketStream(webSocket);
        const served = options.serve(stream, { listener: 'ws', address, certificateName: undefined, heard });
        // `ws` assembles a frame before the broker sees any of it, and its `maxPayload` is the same for all connections.
        // So the bytes of strangers are counted here as they arrive.
        const count = (chunk: Buffer) => {
          unfinishedBytes += chunk.length;
        };
        const check = () => {
          if (served.connected) {
            socket.off('data', count).off('data', check);
          } else if (unfinishedBytes > options.strangerBytesMax) {
            served.reason ??= 'packet-too-large';
            webSocket.terminate();
          }
        };
        // One listener before and one after that of `ws`, which reports complete messages in between.
        socket.prependListener('data', count).on('data', check);
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
