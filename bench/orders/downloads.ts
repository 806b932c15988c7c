/** One image, many printers at once: the product's HTTP server against nginx. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../tests/harness/orders.ts';

export interface Downloads {
  /** MiB per second, by round. */
  platen: number[];
  nginx: number[];
}

/** The product's HTTP server in its own process, like nginx. */
async function startServer(root: string): Promise<{ port: number; stop(): Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./serve.ts', import.meta.url)), [root], {
    execArgv: ['--import', 'tsx'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return {
    port,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
    },
  };
}

async function startNginx(
  program: string,
  folder: string,
  root: string,
): Promise<{ port: number; stop(): Promise<void> }> {
  const port = await freePort();
  const home = join(folder, 'nginx');
  mkdirSync(home, { recursive: true });
  const file = join(home, 'nginx.conf');
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${home}/${name};`,
  );
  writeFileSync(
    file,
    `daemon off; pid ${home}/pid; error_log stderr crit; worker_processes 1;
events { worker_connections 4096; }
http { access_log off; sendfile on; ${temp.join(' ')}
  server { listen 127.0.0.1:${port}; location /repository/ { alias ${root}/; } } }`,
  );
  const child = spawn(program, ['-c', file, '-p', home], { stdio: 'inherit' });
  for (let tries = 0; ; tries++) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (there) break;
    if (tries > 100) throw new Error('nginx does not listen');
    await sleep(50);
  }
  return {
    port,
    stop: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
    },
  };
}

/**
 * One printer: requests the image over its own socket and reads it to the end. Every printer checks the length and only
 * a few check the hash, so that the client costs as little as possible.
 */
function fetchRaw(port: number, path: string, length: number, sha256: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const hash = sha256 === undefined ? undefined : createHash('sha256');
    let head: Buffer | undefined = Buffer.alloc(0);
    let got = 0;
    socket.on('connect', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      let body = chunk;
      if (head) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!head.subarray(0, 12).toString().endsWith(' 200')) {
          socket.destroy();
          reject(new Error(`answered ${head.subarray(0, 40).toString()}`));
          return;
        }
        body = head.subarray(end + 4);
        head = undefined;
      }
      got += body.length;
      hash?.update(body);
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (got !== length) reject(new Error(`${got} of ${length} bytes came`));
      else if (hash && hash.digest('hex') !== sha256) reject(new Error('other bytes came'));
      else resolve();
    });
  });
}

/** 500 printers at once; MiB per second. */
async function round(port: number, printers: number, length: number, sha256: string): Promise<number> {
  const started = performance.now();
  await Promise.all(
    Array.from({ length: printers }, (_, at) =>
      fetchRaw(port, '/repository/acme.engine/2.5.0.bin', length, at % 50 === 0 ? sha256 : undefined),
    ),
  );
  return (printers * length) / 2 ** 20 / ((performance.now() - started) / 1000);
}

/** @param program path of nginx */
export async function measureDownloads(
  program: string,
  folder: string,
  printers: number,
  length: number,
  rounds: number,
): Promise<Downloads> {
  const root = join(folder, 'images');
  mkdirSync(join(root, 'acme.engine'), { recursive: true });
  // nginx drops root and must still be able to read the files.
  for (const each of [folder, root, join(root, 'acme.engine')]) chmodSync(each, 0o755);
  const image = randomBytes(length);
  writeFileSync(join(root, 'acme.engine', '2.5.0.bin'), image, { mode: 0o644 });
  const sha256 = createHash('sha256').update(image).digest('hex');
  const server = await startServer(root);
  const nginx = await startNginx(program, folder, root);
  const result: Downloads = { platen: [], nginx: [] };
  try {
    await round(server.port, printers, length, sha256);
    await round(nginx.port, printers, length, sha256);
    for (let at = 0; at < rounds; at++) {
      result.nginx.push(await round(nginx.port, printers, length, sha256));
      result.platen.push(await round(server.port, printers, length, sha256));
    }
  } finally {
    await server.stop();
    await nginx.stop();
  }
  return result;
}
