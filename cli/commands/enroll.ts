import { join } from 'node:path';
import { Command } from 'commander';
import { brokerOf } from '../data-folder.ts';
import { OperatorClient, readCredentials } from '../operator-client.ts';
import { addSettings, readSettings } from '../settings.ts';
import { print, printJson } from '../terminal.ts';

interface EnrollFlags {
  credentials?: string;
  url?: string;
  json?: boolean;
  again?: boolean;
}

/** `platen enroll PRINTER…`: creates credentials for printers and prints each password once. */
export function command(): Command {
  const enroll = new Command('enroll')
    .description('give printers credentials; each password is printed once and not stored')
    .argument('<printer...>', 'printer ids: [A-Za-z0-9][A-Za-z0-9._-]{0,63}')
    .option(
      '--credentials <file>',
      'credentials of an administrator (default: admin.json in the data folder)',
    )
    .option('--url <url>', 'the broker (default: the Platen that runs on the data folder)')
    .option('--again', 'also enrolled printers: they get a new password, and the old one ends')
    .option('--json', 'one JSON object {"printer","password"} a line');
  addSettings(enroll, ['host', 'mqttPort', 'data']);
  enroll.action(async (printers: string[], flags: EnrollFlags) => {
    const settings = readSettings(enroll.opts(), process.env);
    const { username, password } = readCredentials(flags.credentials ?? join(settings.data, 'admin.json'));
    const url = flags.url ?? brokerOf(settings);
    const operator = await OperatorClient.connect({ url, username, password });
    try {
      const { items } = (await operator.call('printers.enroll', {
        printers,
        ...(flags.again ? { again: true } : {}),
      })) as {
        items: { printer: string; password: string }[];
      };
      for (const item of items) {
        const plain = items.length === 1 ? item.password : `${item.printer} ${item.password}`;
        if (flags.json) printJson(item);
        else print(plain);
      }
    } finally {
      await operator.close();
    }
  });
  return enroll;
}
