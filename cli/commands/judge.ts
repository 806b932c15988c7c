/** `platen judge`: judges structures against a catalog, offline. */
import type { Command } from 'commander';
import { judge } from '../../compatibility/index.ts';
import { structureCommand } from '../structure-lines.ts';

export function command(): Command {
  return structureCommand(
    'judge',
    'judge whether the parts of printers are compatible: JSON lines in, JSON lines out',
    (catalog) => (line) => judge(catalog, line.structure),
  );
}
