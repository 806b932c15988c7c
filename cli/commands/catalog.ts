/** `platen catalog`: checks a catalog, and shows what a new one would change for a fleet. */
import { Command } from 'commander';
import { compileCatalog, Impact } from '../../compatibility/index.ts';
import { readLines } from '../line-answers.ts';
import { CommandFailure, EXIT } from '../remote/exits.ts';
import { addDoorOptions } from '../remote/open-door.ts';
import { addOutputOptions, type OutputFlags } from '../show/output.ts';
import { parseStructureLine, readCatalog, readCatalogDocument } from '../structure-lines.ts';
import { print, printJson } from '../terminal.ts';
import { addDocumentCommands, impactAtCenter } from './documents.ts';

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

interface ImpactFlags extends OutputFlags {
  from?: string;
  to?: string;
  structures?: string;
}

/** With a file it asks the center about its fleet; without one it counts the given structures. */
function impactCommand(): Command {
  const command = new Command('impact')
    .description('show what a new catalog would change, with counts and examples')
    .argument('[file]', 'the new catalog, for the fleet of a running center')
    .option('--from <file>', 'without a center: the catalog as it is')
    .option('--to <file>', 'the catalog as it would be')
    .option('--structures <file>', 'structures, one JSON document a line; - for standard input');
  addDoorOptions(addOutputOptions(command));
  return command.action(async (file: string | undefined, flags: ImpactFlags) => {
    const { from, to, structures } = flags;
    if (file !== undefined) return impactAtCenter(file, flags, command.opts());
    if (from !== undefined && to !== undefined && structures !== undefined)
      return impact({ from, to, structures });
    throw new CommandFailure(
      EXIT.usage,
      'It is not said what to compare.',
      'Name a catalog to compare with the one in force, or give --from, --to and --structures.',
    );
  });
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
  catalog.addCommand(impactCommand());
  return addDocumentCommands(catalog, 'catalog');
}
