/** Starts the brokers that are compared, each in its own process, and reads their CPU time and memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startMosquitto } from '../../tests/mosquitto.ts';

export type PeerName = 'platen' | 'mosquitto' | 'aedes';

export interface Peer {
  name: PeerName;
  port: number;
  pid: number;
  stop(): Promise<void>;
}

const TICKS_PER_S = 100;
const PAGE_BYTES = 4_096;

/** Starts a broker and waits until it listens. */
export async function startPeer(name: PeerName): Promise<Peer> {
  if (name === 'mosquitto') {
    const mosquitto = await startMosquitto({
      config: ['max_inflight_messages 64', 'max_queued_messages 1000000', 'set_tcp_nodelay true'],
    });
    return { name, port: mosquitto.port, pid: mosquitto.pid, stop: () => mosquitto.stop() };
  }
  const script = name === 'platen' ? './ours.ts' : './stock-aedes.ts';
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL(script, import.meta.url))],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    name,
    port: Number(line),
    pid: child.pid as number,
    async stop() {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** User and system CPU seconds of a process. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** CPU seconds of a process and its children: Postgres has one process per connection. */
export function treeCpuSeconds(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  return children.reduce((sum, child) => sum + cpuSeconds(Number(child)), cpuSeconds(pid));
}

/** Resident memory of a process. */
export function rssBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
