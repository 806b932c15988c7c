/** Reads a line from the terminal without showing it. */
import { CommandFailure, EXIT } from '../remote/exits.ts';

const ENTER = new Set(['\r', '\n', '\u0004']);
const INTERRUPT = '\u0003';
const BACKSPACE = new Set(['\u007f', '\b']);

/** @throws CommandFailure when it is interrupted */
export function readHidden(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (finish: () => void) => {
      stdin.off('data', hear);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      finish();
    };
    const hear = (chunk: string) => {
      for (const key of chunk) {
        if (ENTER.has(key)) return end(() => resolve(typed));
        if (key === INTERRUPT)
          return end(() => reject(new CommandFailure(EXIT.notConfirmed, 'Interrupted.')));
        typed = BACKSPACE.has(key) ? typed.slice(0, -1) : typed + key;
      }
    };
    stdin.on('data', hear);
    stdin.resume();
  });
}
