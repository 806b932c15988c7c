/** Reads files of JSON lines one line at a time. */
import { createReadStream } from 'node:fs';

const LINE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Calls `take` with each non-blank line of a file (`-`: standard input) and its number from 1. Lines end in LF or CRLF.
 * @throws what `take` throws, or the read error
 */
export async function eachLine(path: string, take: (line: string, number: number) => void): Promise<void> {
  const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: 1 << 20 });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  let number = 0;
  const one = (line: string): void => {
    number += 1;
    const text = line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line;
    if (text.trim() !== '') take(text, number);
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let text: string;
    try {
      text = decoder.decode(chunk, { stream: true });
    } catch {
      throw new Error(`${path}: not UTF-8 after line ${number}`);
    }
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      one(start === 0 ? rest + text.slice(0, end) : text.slice(start, end));
      if (start === 0) rest = '';
      start = end + 1;
    }
    rest += text.slice(start);
    if (rest.length > LINE_BYTES_MAX) throw new Error(`${path}: line ${number + 1} is too long`);
  }
  if (rest !== '') one(rest);
}
