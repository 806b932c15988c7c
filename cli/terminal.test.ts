import { readdirSync, readFileSync } from 'node:fs';
import { platen } from '../tests/harness/product.ts';

test('text from a printer cannot control the terminal', async () => {
  const recording = Buffer.from(
    'SNMPv2-SMI::mib-2.43.5.1.1.17.1 = STRING: "S-1"\n' +
      'SNMPv2-MIB::sysDescr.0 = STRING: "Evil\u001b]0;owned\u0007\u009b31m\u202e LaserJet"\n',
  );
  for (const flags of ['--raw', '--json']) {
    const { code, stdout } = await platen(['agent', 'doctor', '--recorded', '-', flags], {
      input: recording.toString(),
    });
    expect(code).toBe(0);
    expect(stdout).toContain('S-1');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  }
});

test('every command prints JSON through the escaping function', () => {
  const folder = new URL('./commands/', import.meta.url);
  const past = readdirSync(folder)
    .filter((name) => !name.endsWith('.test.ts'))
    .flatMap((name) =>
      [
        ...readFileSync(new URL(name, folder), 'utf8').matchAll(/std(out|err)\.write\([^;]*JSON\.stringify/g),
      ].map(() => name),
    );
  // The figures of a simulation are all its own.
  expect(past).toEqual(['simulate.ts']);
});
