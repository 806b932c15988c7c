/** Secrets among the flags of a command: every user of a machine sees the arguments of its processes. */
import { InvalidArgumentError, Option } from 'commander';

/** Reads a secret that is given as `env:NAME`, or as it is. */
export function secretText(text: string, env: NodeJS.ProcessEnv): string {
  if (!text.startsWith('env:')) return text;
  const value = env[text.slice('env:'.length)];
  if (value === undefined || value === '') {
    throw new InvalidArgumentError(`The variable ${text.slice('env:'.length)} is not set.`);
  }
  return value;
}

/** A flag with a secret, which may stand in the environment instead of among the arguments. */
export function secretOption(flag: string, description: string): Option {
  return new Option(flag, `${description}; env:NAME takes it from the environment`).argParser(
    (text: string) => secretText(text, process.env),
  );
}
