/** The broker flags that `platen broker` and `platen up` share: limits and trusted proxies. */
import { type Command, Option } from 'commander';
import { type BrokerLimits, DEFAULT_LIMITS } from '../broker/limits.ts';
import { PlatenError } from '../schemas/errors.ts';
import { didYouMean } from '../schemas/nearest-name.ts';

export interface BrokerFlags {
  limits: Partial<BrokerLimits>;
  /** Addresses of proxies that send the PROXY protocol, version 2. */
  trustedProxies: string[];
}

const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof BrokerLimits)[];

/** Adds the flags to a command. */
export function addBrokerFlags(command: Command): void {
  command
    .addOption(
      new Option('--trust-proxy <addresses...>', 'addresses that speak PROXY protocol version 2').default([]),
    )
    .addOption(
      new Option('--limit <name=value...>', `change limits of the broker: ${NAMES.join(', ')}`).default([]),
    );
}

/** Reads the flags of a command. @throws PlatenError setting/invalid */
export function readBrokerFlags(command: Command): BrokerFlags {
  const { limit, trustProxy } = command.opts<{ limit: string[]; trustProxy: string[] }>();
  return { limits: parseLimits(limit), trustedProxies: trustProxy };
}

/** Reads `name=value` pairs. @throws PlatenError setting/invalid */
export function parseLimits(pairs: string[]): Partial<BrokerLimits> {
  const limits: Record<string, number | string> = {};
  for (const pair of pairs) {
    const [name = '', value = ''] = pair.split('=');
    const known = Object.hasOwn(DEFAULT_LIMITS, name)
      ? DEFAULT_LIMITS[name as keyof BrokerLimits]
      : undefined;
    const right =
      typeof known === 'number' ? /^\d+$/.test(value) : ['drop-oldest', 'drop-newest'].includes(value);
    if (known === undefined) {
      throw new PlatenError('setting/invalid', {
        name: '--limit',
        reason: `"${name}" is not a limit${didYouMean(name, NAMES)}`,
        hint: 'platen broker --help lists the limits.',
      });
    }
    if (!right) {
      throw new PlatenError('setting/invalid', {
        name: '--limit',
        reason: `"${pair}": ${typeof known === 'number' ? 'a whole number' : 'drop-oldest or drop-newest'} is expected`,
        hint: 'platen broker --help lists the limits.',
      });
    }
    limits[name] = typeof known === 'number' ? Number(value) : value;
  }
  return limits as Partial<BrokerLimits>;
}
