import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { oneLine, shownJson } from '../../schemas/harmless.ts';
import { parseJson } from '../../schemas/json.ts';
import { isMethod, METHOD_ROLES } from '../../schemas/roles.ts';
import { secretPaths } from '../../schemas/secrets.ts';
import type { OperatorReply } from '../../schemas/types.ts';
import { paramsSchema } from '../../schemas/validate.ts';
import { brokerOf } from '../data-folder.ts';
import { OperatorClient, readCredentials } from '../operator-client.ts';
import { addSettings, readSettings } from '../settings.ts';

interface RequestFlags {
  credentials?: string;
  url?: string;
  json?: boolean;
}

function parseParams(method: string, text: string): Record<string, unknown> {
  const file = text === '-' ? 0 : text.startsWith('@') ? text.slice(1) : undefined;
  const source = file === undefined ? text : readFileSync(file, 'utf8');
  try {
    const params = parseJson(source) as Record<string, unknown>;
    if (file === undefined) warnOfSecrets(method, params);
    return params;
  } catch (error) {
    throw new PlatenError('request/invalid', { reason: `not JSON: ${reasonOf(error)}` });
  }
}

/** Any user of a machine can see the arguments of its processes. */
function warnOfSecrets(method: string, params: Record<string, unknown>): void {
  const [path] = isMethod(method) ? secretPaths(paramsSchema(method), params) : [];
  if (path === undefined) return;
  process.stderr.write(
    `platen: ${path} is visible in the process list. Give the parameters on standard input instead ("-"), or as @FILE.\n`,
  );
}

function show(reply: OperatorReply, json: boolean): void {
  if (json) {
    process.stdout.write(`${shownJson(reply)}\n`);
  } else if (reply.status === 'error') {
    process.stderr.write(
      `platen: ${oneLine(`${reply.error?.message} [${reply.error?.code}]`)}\n  ${oneLine(reply.error?.hint ?? '')}\n`,
    );
  } else {
    process.stdout.write(`${shownJson(reply.data, 2)}\n`);
  }
  if (reply.status === 'error') process.exitCode = 1;
}

/** `platen request METHOD [PARAMS]`: sends any request of the contract and prints its reply. */
export function command(): Command {
  const request = new Command('request')
    .description('send a request to a running center and print its reply')
    .argument('<method>', Object.keys(METHOD_ROLES).join(', '))
    .argument('[params]', 'parameters as JSON, @FILE, or "-" for standard input', '{}')
    .option('--credentials <file>', 'credentials of an operator (default: admin.json in the data folder)')
    .option('--url <url>', 'the broker (default: the Platen that runs on the data folder)')
    .option('--json', 'the whole reply on one line, instead of its data laid out');
  addSettings(request, ['host', 'mqttPort', 'data']);
  request.action(async (method: string, params: string, flags: RequestFlags) => {
    const settings = readSettings(request.opts(), process.env);
    const parsed = parseParams(method, params);
    const { username, password } = readCredentials(flags.credentials ?? join(settings.data, 'admin.json'));
    const url = flags.url ?? brokerOf(settings);
    const operator = await OperatorClient.connect({ url, username, password });
    try {
      show(await operator.request(method, parsed), flags.json ?? false);
    } finally {
      await operator.close();
    }
  });
  return request;
}
