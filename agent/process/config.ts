/**
 * The agent's configuration file: read, checked as a whole, and added to without losing it.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { writeWholeSync } from '../../files/whole-file.ts';
import { durationMs } from '../../schemas/duration.ts';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import type { AgentPrinter, AgentsConfig } from '../../schemas/types.ts';
import { schemaFault } from '../../schemas/validate.ts';
import { MappingTables } from '../mapping/tables.ts';

const POLL_DEFAULT = 'PT30S';
const FULL_DEFAULT = 'PT15M';
const SILENT_DEFAULT = 'PT15M';
/** A shorter period is too much for a printer's network card. */
const POLL_MS_MIN = 1_000;

export interface Pace {
  pollMs: number;
  fullMs: number;
  silentMs: number;
}

export interface LoadedConfig {
  file: string;
  config: AgentsConfig;
  /** Absolute path of the data folder. */
  data: string;
  mapping: MappingTables;
  /** PEM of the broker's authority. */
  ca?: string;
  /** The release repository's root metadata. */
  root?: Buffer;
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PlatenError('agent/config', { file, reason: reasonOf(error) }, { cause: error });
  }
}

/** Checks beyond the schema: unique ids, valid durations. */
function check(document: unknown, file: string): AgentsConfig {
  const fault = schemaFault('agents', document);
  if (fault !== undefined) throw new PlatenError('agent/config', { file, reason: fault });
  const config = document as AgentsConfig;
  const seen = new Set<string>();
  config.printers.forEach((printer, i) => {
    const wrong = (reason: string) =>
      new PlatenError('agent/config', { file, reason: `/printers/${i} ${reason}` });
    if (seen.has(printer.printer)) throw wrong(`has the id "${printer.printer}" of another printer`);
    seen.add(printer.printer);
    const kinds = printer.urls.map((url) => url.slice(0, url.indexOf(':')).replace('ipps', 'ipp'));
    if (kinds.length === 2 && !(kinds.includes('ipp') && kinds.includes('snmp'))) {
      throw wrong('has two addresses: only ipp and snmp go together');
    }
    if (kinds.includes('bambu') && !printer.bambu) throw wrong('needs bambu.accessCode');
    if (kinds.includes('command') && !printer.command) throw wrong('needs command.run');
    for (const url of printer.urls)
      if (!URL.canParse(url)) throw wrong(`has an address that is none: ${url}`);
    paceOf(config, printer, (reason) => wrong(reason));
  });
  return config;
}

/** How often a printer is read: its own settings, else those of the file, else the defaults. */
export function paceOf(
  config: AgentsConfig,
  printer: AgentPrinter,
  wrong: (reason: string) => Error = (reason) => new Error(reason),
): Pace {
  const ms = (name: 'poll' | 'full' | 'silent', fallback: string) => {
    const text = printer[name] ?? config[name] ?? fallback;
    const value = durationMs(text);
    if (value === undefined || value < POLL_MS_MIN)
      throw wrong(`${name} "${text}" is shorter than ${POLL_MS_MIN} ms`);
    return value;
  };
  return {
    pollMs: ms('poll', POLL_DEFAULT),
    fullMs: ms('full', FULL_DEFAULT),
    silentMs: ms('silent', SILENT_DEFAULT),
  };
}

/** The user's mapping tables with the built-in ones. */
export function loadMappings(files: string[]): MappingTables {
  return new MappingTables(files.map((file) => ({ file, document: read(file) })));
}

/**
 * Reads the configuration. Paths in it are relative to it.
 * @throws PlatenError agent/config, agent/mapping
 */
export function loadConfig(file: string): LoadedConfig {
  const config = check(read(file), file);
  const folder = dirname(resolve(file));
  let ca: string | undefined;
  if (config.broker.ca !== undefined) {
    try {
      ca = readFileSync(resolve(folder, config.broker.ca), 'utf8');
    } catch (error) {
      throw new PlatenError(
        'agent/config',
        { file, reason: `/broker/ca ${reasonOf(error)}` },
        { cause: error },
      );
    }
  }
  let root: Buffer | undefined;
  if (config.root !== undefined) {
    try {
      root = readFileSync(resolve(folder, config.root));
    } catch (error) {
      throw new PlatenError('agent/config', { file, reason: `/root ${reasonOf(error)}` }, { cause: error });
    }
  }
  return {
    file,
    config,
    data: resolve(folder, config.data ?? '.platen-agent'),
    mapping: loadMappings((config.mappings ?? []).map((path) => resolve(folder, path))),
    ...(ca === undefined ? {} : { ca }),
    ...(root === undefined ? {} : { root }),
  };
}

/**
 * Adds a printer to the file (made when missing, with `broker`); a crash leaves the old file or the new one.
 * @throws PlatenError agent/printer-exists, agent/config
 */
export function addPrinter(file: string, printer: AgentPrinter, broker: string): void {
  let config: AgentsConfig = { broker: { url: broker }, printers: [] };
  try {
    readFileSync(file);
    config = check(read(file), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (config.printers.some((known) => known.printer === printer.printer)) {
    throw new PlatenError('agent/printer-exists', { printer: printer.printer, file });
  }
  const next = check({ ...config, printers: [...config.printers, printer] }, file);
  // It contains passwords and communities.
  writeWholeSync(file, `${JSON.stringify(next, null, 2)}\n`);
}
