/** `platen catalog`: checks a catalog, and says what a new one would change in a fleet. */
import { Command } from 'commander';
import { compileCatalog, Impact } from '../../compatibility/index.ts';
import { readLines } from '../line-answers.ts';
import { parseStructureLine, readCatalog, readCatalogDocument } from '../structure-lines.ts';
import { print, printJson } from '../terminal.ts';

function check(file: string, flags: { json?: boolean }): void {
  const document = readCatalogDocument(file);
  const { catalog, diagnostics } = compileCatalog(document);
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  if (flags.json) printJson({ catalog: catalog.name, diagnostics });
  else {
    for (const { path, severity, message } of diagnostics) {
      print(`${file}: ${severity}: ${path}: ${message}`);
    }
    const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
    const warnings = count(diagnostics.length - errors, 'warning');
    print(`${catalog.name}: ${count(errors, 'error')}, ${warnings}`);
  }
  if (errors > 0) process.exitCode = 1;
}

async function impact(flags: { from: string; to: string; structures: string }): Promise<void> {
  const counted = new Impact(readCatalog(flags.from), readCatalog(flags.to));
  for await (const { bytes } of readLines(flags.structures)) {
    const { printer, structure } = parseStructureLine(bytes);
    counted.add(structure, 1, [printer ?? '']);
  }
  printJson(counted.result());
}

export function command(): Command {
  const catalog = new Command('catalog').description('check a catalog, or see what a new one would change');
  catalog
    .command('check')
    .description(
      'check a catalog and print each fault with its JSON path; exits with 1 when there are errors',
    )
    .argument('<file>', 'the catalog, a JSON document')
    .option('--json', 'as one JSON object')
    .action(check);
  catalog
    .command('impact')
    .description('show what a new catalog would change, with counts and examples')
    .requiredOption('--from <file>', 'the catalog as it is')
    .requiredOption('--to <file>', 'the catalog as it would be')
    .requiredOption('--structures <file>', 'structures, one JSON document a line; - for standard input')
    .action(impact);
  return catalog;
}
