/**
 * `platen`: the command line. Every command is a file in `commands/`, loaded only when used, so that `platen judge`
 * doesn't load a broker.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { lines } from '../schemas/harmless.ts';
import { CommandFailure, EXIT } from './remote/exits.ts';

interface CommandModule {
  command(): Command;
}

const COMMANDS: Record<string, () => Promise<CommandModule>> = {
  up: () => import('./commands/up.ts'),
  status: () => import('./commands/status.ts'),
  printers: () => import('./commands/printers.ts'),
  troubles: () => import('./commands/troubles.ts'),
  campaigns: () => import('./commands/campaigns.ts'),
  releases: () => import('./commands/releases.ts'),
  reports: () => import('./commands/reports.ts'),
  events: () => import('./commands/events.ts'),
  users: async () => ({ command: (await import('./commands/people.ts')).users }),
  tokens: async () => ({ command: (await import('./commands/people.ts')).tokens }),
  audit: async () => ({ command: (await import('./commands/people.ts')).audit }),
  login: async () => ({ command: (await import('./commands/login.ts')).loginCommand }),
  logout: async () => ({ command: (await import('./commands/login.ts')).logoutCommand }),
  context: async () => ({ command: (await import('./commands/login.ts')).contextCommand }),
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
  completion: async () => ({ command: (await import('./commands/completion.ts')).completionCommand }),
  complete: async () => {
    const { completeCommand } = await import('./commands/completion.ts');
    const names = Object.keys(COMMANDS).filter((name) => name !== 'complete');
    return { command: () => completeCommand(names, async (name) => (await COMMANDS[name]?.())?.command()) };
  },
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
    if (load) program.addCommand((await load()).command(), { hidden: name === 'complete' });
  }
  const override = (command: Command): void => {
    command.exitOverride();
    command.commands.forEach(override);
  };
  override(program);
  await program.parseAsync(argv);
}

// A reader that has enough (`platen printers list | head`) is no fault. `platen up` takes it for a stop (until-stopped.ts).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (process.stdout.listenerCount('error') === 1) process.exit(EXIT.pipeClosed);
});

try {
  await main(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    const hint = error instanceof PlatenError || error instanceof CommandFailure ? error.hint : undefined;
    const shown =
      error instanceof PlatenError || error instanceof CommandFailure ? error.message : reasonOf(error);
    process.stderr.write(`platen: ${lines(hint ? `${shown}\n  ${hint}` : shown)}\n`);
    process.exitCode = error instanceof CommandFailure ? error.exit : EXIT.failed;
  }
}
