/**
 * What `platen judge` and `platen choose` share: a catalog, structures as JSON lines in, answers as JSON lines out, in
 * input order, with bounded memory: one line is read, answered and written before the next.
 */
import { once } from 'node:events';
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import {
  type ChooseOptions,
  type CompiledCatalog,
  compileCatalog,
  type PrinterStructureLike,
} from '../center/compatibility/index.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import { checkSchema } from '../schemas/validate.ts';

export interface StructureLine {
  structure: PrinterStructureLike;
  options: ChooseOptions;
}
type Flags = Record<string, string | undefined>;
type Answerer = (line: StructureLine) => object;

/** Reads and compiles a catalog file. @throws PlatenError catalog/invalid, payload/schema, payload/not-json */
export function readCatalog(file: string): CompiledCatalog {
  const { catalog, diagnostics } = compileCatalog(readCatalogDocument(file));
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  if (errors[0]) {
    throw new PlatenError('catalog/invalid', {
      count: errors.length,
      reason: `${errors[0].path}: ${errors[0].message}`,
    });
  }
  return catalog;
}

/** Reads a catalog file as its schema says. */
export function readCatalogDocument(file: string) {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PlatenError('payload/not-json', { reason: `${file}: ${reasonOf(error)}` });
  }
  return checkSchema('catalog', document);
}

function parseLine(text: string): StructureLine & { printer: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new PlatenError('payload/not-json', { reason: reasonOf(error) });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlatenError('payload/not-json', { reason: 'an object is expected' });
  }
  const line = value as Record<string, unknown>;
  // What the wire needs and judging doesn't may be missing offline.
  const structure = checkSchema('structure', {
    session: 'offline',
    revision: 0,
    at: '1970-01-01T00:00:00Z',
    reason: 'request',
    units: [],
    ...line,
  });
  const symbols = new Set(['apparatus']);
  for (const { symbol } of structure.units) {
    if (symbols.has(symbol)) throw new PlatenError('payload/duplicate-symbol', { symbol });
    symbols.add(symbol);
  }
  return { printer: line['printer'], structure, options: (line['options'] ?? {}) as ChooseOptions };
}

async function answerLines(file: string, answer: Answerer): Promise<void> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (text.trim() === '') continue;
    let reply: string;
    try {
      const line = parseLine(text);
      reply = JSON.stringify({ printer: line.printer, ...answer(line) });
    } catch (error) {
      throw new Error(`${file}:${number}: ${reasonOf(error)}`, { cause: error });
    }
    if (!process.stdout.write(`${reply}\n`)) await once(process.stdout, 'drain');
  }
}

/** A command that answers every structure of a file. */
export function structureCommand(
  name: string,
  description: string,
  start: (catalog: CompiledCatalog, flags: Flags) => Answerer,
): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--catalog <file>', 'the catalog, a JSON document')
    .requiredOption('--structures <file>', 'structures, one JSON document a line; - for standard input')
    .action(async (flags: Flags) => {
      await answerLines(flags['structures']!, start(readCatalog(flags['catalog']!), flags));
    });
}
