/** Secrets in command line flags. Any user of a machine can see the arguments of its processes. */
import { InvalidArgumentError, Option } from 'commander';

/** Reads a secret given literally or as `env:NAME`. */
export function secretText(text: string, env: NodeJS.ProcessEnv): string {
  if (!text.startsWith('env:')) return text;
  const value = env[text.slice('env:'.length)];
  if (value === undefined || value === '') {
    throw new InvalidArgumentError(`The variable ${text.slice('env:'.length)} is not set.`);
  }
  return value;
}

/** A flag for a secret, which can be read from the environment instead. */
export function secretOption(flag: string, description: string): Option {
  return new Option(flag, `${description}; env:NAME reads it from the environment`).argParser(
    (text: string) => secretText(text, process.env),
  );
}
