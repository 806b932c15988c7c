/**
 * `platen`: the command line. Every command is a file in `commands/`, loaded only when used, so that `platen judge`
 * doesn't load a broker.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { lines } from '../schemas/harmless.ts';

interface CommandModule {
  command(): Command;
}

const COMMANDS: Record<string, () => Promise<CommandModule>> = {
  up: () => import('./commands/up.ts'),
  center: () => import('./commands/center.ts'),
  rules: () => import('./commands/rules.ts'),
  judge: () => import('./commands/judge.ts'),
  choose: () => import('./commands/choose.ts'),
  catalog: () => import('./commands/catalog.ts'),
  admin: () => import('./commands/admin.ts'),
  certificate: () => import('./commands/certificate.ts'),
  enroll: () => import('./commands/enroll.ts'),
  release: () => import('./commands/release.ts'),
  request: () => import('./commands/request.ts'),
  broker: () => import('./commands/broker.ts'),
  simulate: () => import('./commands/simulate.ts'),
  agent: () => import('./commands/agent.ts'),
};

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

async function main(argv: string[]): Promise<void> {
  const program = new Command('platen')
    .description('Administrates fleets of printers over MQTT.')
    .version(version)
    // Options belong to the command that they follow.
    .enablePositionalOptions()
    .showHelpAfterError('(platen --help lists the commands)');
  const asked = argv[2];
  const names = asked !== undefined && Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS);
  for (const name of names) {
    const load = COMMANDS[name];
    if (load) program.addCommand((await load()).command());
  }
  program.exitOverride();
  for (const child of program.commands) child.exitOverride();
  await program.parseAsync(argv);
}

try {
  await main(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode;
  } else {
    const shown = error instanceof PlatenError ? `${error.message}\n  ${error.hint}` : reasonOf(error);
    process.stderr.write(`platen: ${lines(shown)}\n`);
    process.exitCode = 1;
  }
}
