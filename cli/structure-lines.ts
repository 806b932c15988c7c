/** Shared by `platen judge` and `platen choose`: a catalog, and structures as JSON lines. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import {
  type ChooseOptions,
  type CompiledCatalog,
  checkOptions,
  compileCatalog,
  type PrinterStructureLike,
} from '../compatibility/index.ts';
import { PlatenError, reasonOf } from '../schemas/errors.ts';
import type { Catalog } from '../schemas/types.ts';
import { checkSchema } from '../schemas/validate.ts';
import { answerLines, parseObject } from './line-answers.ts';

export interface StructureLine {
  printer: string | undefined;
  structure: PrinterStructureLike;
  options: ChooseOptions;
}
export type Flags = Record<string, string | undefined>;
type Answerer = (line: StructureLine) => object;

/** Reads and validates a catalog file. @throws PlatenError payload/not-json, payload/schema */
export function readCatalogDocument(file: string): Catalog {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new PlatenError('setting/invalid', {
      name: '--catalog',
      reason: reasonOf(error),
      hint: 'Give the path of a catalog document.',
    });
  }
  try {
    return checkSchema('catalog', parseObject(bytes));
  } catch (error) {
    throw new Error(`${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Reads and compiles a catalog file. @throws PlatenError catalog/invalid, and what readCatalogDocument throws */
export function readCatalog(file: string): CompiledCatalog {
  const { catalog, diagnostics } = compileCatalog(readCatalogDocument(file));
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  if (errors[0]) {
    const reason = `${errors[0].path}: ${errors[0].message}`;
    throw new PlatenError('catalog/invalid', { count: errors.length, reason });
  }
  return catalog;
}

/** A structure document with its printer and options. Fields that only the wire contract requires may be missing. */
export function parseStructureLine(bytes: Uint8Array): StructureLine {
  const line = parseObject(bytes);
  const { printer } = line;
  if (printer !== undefined && typeof printer !== 'string') {
    throw new PlatenError('payload/schema', { reason: '/printer must be a string', schema: 'structure' });
  }
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
  return { printer, structure, options: checkOptions(line['options'] ?? {}) };
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
      const answer = start(readCatalog(flags['catalog']!), flags);
      await answerLines(flags['structures']!, (bytes) => {
        const line = parseStructureLine(bytes);
        return { printer: line.printer ?? null, ...answer(line) };
      });
    });
}
