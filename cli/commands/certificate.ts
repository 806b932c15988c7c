import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { Authority } from '../../broker/access/authority.ts';
import { writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError } from '../../schemas/errors.ts';
import { PRINTER_ID } from '../../schemas/topics.ts';
import { addSettings, readSettings } from '../settings.ts';

function open(command: Command): Promise<Authority> {
  return Authority.open(join(readSettings(command.opts(), process.env).data, 'tls'), Date.now);
}

/** `platen certificate`: the product's own authority for printers that prove themselves by certificate. */
export function command(): Command {
  const certificate = new Command('certificate').description(
    'issue, list and revoke client certificates of printers',
  );
  const issue = new Command('issue')
    .description(
      'issue a certificate; the printer must also be enrolled. Issue again to renew, then revoke the old one',
    )
    .argument('<printer>')
    .option('--out <folder>', 'where PRINTER.pem, PRINTER-key.pem and ca.pem are written', '.')
    .option('--json', 'one JSON object with serial and files');
  addSettings(issue, ['data']);
  issue.action(async (printer: string, { out, json }: { out: string; json?: boolean }) => {
    if (!PRINTER_ID.test(printer))
      throw new PlatenError('request/invalid', { reason: `"${printer}" is no printer id` });
    const authority = await open(issue);
    const { certificate: pem, key, serial, notAfter } = await authority.issue(printer);
    mkdirSync(out, { recursive: true });
    const files = {
      certificate: join(out, `${printer}.pem`),
      key: join(out, `${printer}-key.pem`),
      ca: join(out, 'ca.pem'),
    };
    writeWholeSync(files.certificate, pem, { mode: 0o644 });
    writeWholeSync(files.key, key);
    writeWholeSync(files.ca, authority.certificate, { mode: 0o644 });
    const result = { printer, serial, notAfter: notAfter.toISOString(), ...files };
    process.stdout.write(
      json
        ? `${JSON.stringify(result)}\n`
        : `${Object.values(files).join('\n')}\nserial ${serial}, valid until ${result.notAfter}\n`,
    );
  });
  const list = new Command('list')
    .description('list every certificate that was issued')
    .option('--json', 'JSON lines');
  addSettings(list, ['data']);
  list.action(async ({ json }: { json?: boolean }) => {
    for (const entry of (await open(list)).list()) {
      const plain = `${entry.serial}  ${entry.name}  until ${entry.notAfter}${entry.revokedAt ? `  revoked ${entry.revokedAt}` : ''}`;
      process.stdout.write(`${json ? JSON.stringify(entry) : plain}\n`);
    }
  });
  const revoke = new Command('revoke')
    .description('revoke a certificate by serial, or all of a printer; live connections end within seconds')
    .argument('<printer-or-serial>');
  addSettings(revoke, ['data']);
  revoke.action(async (which: string) => {
    const revoked = (await open(revoke)).revoke(which);
    if (revoked.length === 0)
      throw new PlatenError('request/not-found', { kind: 'valid certificate', id: which });
    for (const { serial, name } of revoked) process.stdout.write(`${serial}  ${name}\n`);
  });
  return certificate.addCommand(issue).addCommand(list).addCommand(revoke);
}
