/** Third-party programs that benchmarks compare with. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const PACKAGES = new URL('../../deploy/packages.json', import.meta.url);
/** Where Debian installs servers; not on every user's PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Programs are missing; the message names the command that installs them. */
export class MissingPrograms extends Error {}

function find(program: string, folders: readonly string[]): string | undefined {
  return folders
    .map((folder) => join(folder, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        // Not in this folder; try the next.
        return false;
      }
    });
}

/**
 * Looks for the programs before anything is measured.
 * @returns the path of each
 * @throws MissingPrograms
 */
export function needPrograms<Name extends string>(
  programs: readonly Name[],
  folders: readonly string[] = [...(process.env['PATH'] ?? '').split(delimiter), ...SERVER_FOLDERS],
): Record<Name, string> {
  const { benchmarks } = JSON.parse(readFileSync(PACKAGES, 'utf8')) as { benchmarks: Record<string, string> };
  const found = programs.map((program) => [program, find(program, folders)] as const);
  const missing = found.filter(([, file]) => file === undefined).map(([program]) => program);
  if (missing.length > 0) {
    const names = [...new Set(missing.map((program) => benchmarks[program] ?? program))].join(' ');
    throw new MissingPrograms(
      `this benchmark compares with ${missing.join(' and ')}, not found here. Type this, then the command again:\n` +
        `  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${names}'`,
    );
  }
  return Object.fromEntries(found) as Record<Name, string>;
}
