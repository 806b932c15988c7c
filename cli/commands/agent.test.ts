import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../tests/harness/ports.ts';
import { platen } from '../../tests/harness/product.ts';
import { WITH_TYPES } from '../../tests/harness/run/with-types.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'platen-agent-command-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('add uses the port of the settings, and an agent without a connection is not ready', async () => {
  const port = await freePort();
  const config = join(folder, 'agents.json');
  const add = ['agent', 'add', 'ipp://127.0.0.1:9', '--no-check', '--printer', 'p1', '--password', 'x'];
  const { code } = await platen([...add, '--config', config], { env: { PLATEN_MQTT_PORT: String(port) } });
  expect(code).toBe(0);
  expect(JSON.parse(readFileSync(config, 'utf8'))).toMatchObject({
    broker: { url: `mqtt://127.0.0.1:${port}` },
  });
  const program = fileURLToPath(new URL('../platen.ts', import.meta.url));
  const child = spawn(process.execPath, [...WITH_TYPES, program, 'agent', '--config', config], {
    stdio: 'pipe',
  });
  let out = '';
  child.stdout.on('data', (bytes) => {
    out += String(bytes);
  });
  const said = await new Promise<string>((resolve) => {
    let text = '';
    child.stderr.on('data', (bytes) => {
      text += String(bytes);
      if (text.includes('\n')) resolve(text);
    });
  });
  expect(said).toMatch(new RegExp(`^not ready: no printer is connected to mqtt://127.0.0.1:${port}`));
  expect(out).not.toMatch(/^ready/m);
  child.kill('SIGTERM');
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
});
