import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { Authority } from '../../broker/access/authority.ts';
import { CredentialFile } from '../../broker/access/credential-file.ts';
import { writeWholeSync } from '../../files/whole-file.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { PRINTER_ID } from '../../schemas/topics.ts';
import { brokerOf, runningOn } from '../data-folder.ts';
import { OperatorClient, readCredentials } from '../operator-client.ts';
import { addSettings, readSettings, type Settings } from '../settings.ts';
import { print, printJson, warn } from '../terminal.ts';

async function open(command: Command): Promise<Authority> {
  const folder = join(readSettings(command.opts(), process.env).data, 'tls');
  const authority = await Authority.open(folder, Date.now);
  authority.onFailed((error) => {
    const { hint } = error instanceof PlatenError ? error : {};
    warn(hint === undefined ? reasonOf(error) : `${reasonOf(error)}\n  ${hint}`);
  });
  return authority;
}

interface IssueFlags {
  out: string;
  json?: boolean;
  url?: string;
  credentials?: string;
}

/**
 * A printer's current enrolment: from the data folder of `platen broker`, else from the running center.
 * @throws PlatenError certificate/not-enrolled
 */
async function enrolmentOf(printer: string, settings: Settings, flags: IssueFlags): Promise<string> {
  const running = runningOn(settings.data);
  const file = join(settings.data, 'credentials.json');
  const byItself = running === undefined || running.program === 'platen broker';
  let enrolment: string | undefined;
  if (flags.url === undefined && byItself && existsSync(file)) {
    enrolment = new CredentialFile(file).enrolmentOf(printer);
  } else {
    const admin = readCredentials(flags.credentials ?? join(settings.data, 'admin.json'));
    const url = flags.url ?? brokerOf(settings);
    const operator = await OperatorClient.connect({ url, ...admin });
    try {
      const { status, data, error } = await operator.request('printers.get', { printer });
      if (status === 'error' && error?.code !== 'request/not-found') {
        throw new Error(`printers.get: ${error?.message} [${error?.code}]`);
      }
      const told = (data as { enrolment?: unknown } | undefined)?.enrolment;
      if (typeof told === 'string') enrolment = told;
    } finally {
      await operator.close();
    }
  }
  if (enrolment === undefined) throw new PlatenError('certificate/not-enrolled', { printer });
  return enrolment;
}

/** `platen certificate`: the built-in certificate authority for printers that authenticate by certificate. */
export function command(): Command {
  const certificate = new Command('certificate').description(
    'issue, list and revoke client certificates of printers',
  );
  const issue = new Command('issue')
    .description(
      'issue a certificate to an enrolled printer; it is valid until it is revoked or the printer is enrolled again. To renew, issue a new one, then revoke the old one',
    )
    .argument('<printer>')
    .option('--out <folder>', 'where PRINTER.pem, PRINTER-key.pem and ca.pem are written', '.')
    .option('--json', 'one JSON object with serial and files')
    .option('--url <url>', 'the broker of the running center (default: the one that runs on the data folder)')
    .option('--credentials <file>', 'credentials of an operator (default: admin.json in the data folder)');
  addSettings(issue, ['host', 'mqttPort', 'data']);
  issue.action(async (printer: string, flags: IssueFlags) => {
    const { out, json } = flags;
    if (!PRINTER_ID.test(printer))
      throw new PlatenError('request/invalid', { reason: `"${printer}" is not a printer id` });
    const enrolment = await enrolmentOf(printer, readSettings(issue.opts(), process.env), flags);
    const authority = await open(issue);
    const { certificate: pem, key, serial, notAfter } = await authority.issue(printer, enrolment);
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
    if (json) printJson(result);
    else print(`${Object.values(files).join('\n')}\nserial ${serial}, valid until ${result.notAfter}`);
  });
  const list = new Command('list').description('list all issued certificates').option('--json', 'JSON lines');
  addSettings(list, ['data']);
  list.action(async ({ json }: { json?: boolean }) => {
    for (const entry of (await open(list)).list()) {
      const plain = `${entry.serial}  ${entry.name}  until ${entry.notAfter}${entry.revokedAt ? `  revoked ${entry.revokedAt}` : ''}`;
      if (json) printJson(entry);
      else print(plain);
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
    for (const { serial, name } of revoked) print(`${serial}  ${name}`);
  });
  return certificate.addCommand(issue).addCommand(list).addCommand(revoke);
}
