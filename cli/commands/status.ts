/** `platen status`: whether the center serves, and how the fleet is. */
import { Command } from 'commander';
import type { Row } from '../remote/door.ts';
import { EXIT } from '../remote/exits.ts';
import { asking } from '../remote/run.ts';
import { addOutputOptions, type OutputFlags, printValues } from '../show/output.ts';
import { printJson } from '../terminal.ts';

export function command(): Command {
  const status = addOutputOptions(
    new Command('status').description('whether the center serves, and how the fleet is'),
  );
  return asking<OutputFlags>(status, async (door, { flags, name }) => {
    const [health, fleet] = await Promise.all([door.health(), door.call('fleet.summary')]);
    if (!health.ready) process.exitCode = EXIT.failed;
    if (flags.json) return printJson({ center: name, url: door.url, ...health, fleet });
    const notReady = Object.entries(health.parts).filter(([, part]) => part !== 'ready' && part !== true);
    printValues(
      [
        ['center', `${door.url} (Platen ${health.version})`],
        [
          'serves',
          health.ready
            ? 'ok'
            : `no: ${notReady.map(([part, why]) => `${part} ${JSON.stringify(why)}`).join(', ')}`,
          'state',
        ],
        ['printers', fleet['printers']],
        ['presence', fleet['presence']],
        ['verdicts', fleet['verdict']],
        ['models', fleet['model']],
        ['open troubles', (fleet['troubles'] as Row | undefined)?.['open']],
        ['running campaigns', (fleet['campaigns'] as Row | undefined)?.['running']],
      ],
      flags.utc,
    );
  });
}
