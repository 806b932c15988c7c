/**
 * Parses untrusted JSON. The messages of `JSON.parse` quote the text around the fault, which may be a password; the
 * errors thrown here name the fault and its position and quote nothing.
 */

/** V8 quotes the text around a fault: `Unexpected token 'x', ..."word":x,"b"... is not valid JSON`. */
const QUOTATION = /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s;
/** The character itself is harmless; only printable ASCII is shown. */
const TOKEN = /^Unexpected token '(.*)'/su;

function reasonFor(text: string, error: Error): string {
  if (text.trimEnd().endsWith('\0')) {
    return 'a NUL follows the JSON: send the text without the terminator of a C string';
  }
  const reason = error.message.replace(QUOTATION, '');
  return reason.replace(TOKEN, (_, token: string) =>
    /^[\x20-\x7e]$/.test(token) ? `Unexpected token '${token}'` : 'Unexpected character',
  );
}

/**
 * `JSON.parse`, with errors that may be shown and logged.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw error instanceof SyntaxError ? new SyntaxError(reasonFor(text, error)) : error;
  }
}

/** A JSON string (a name if a colon follows), or the beginning or end of an object or array. */
const TOKENS = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs;

/** The first duplicate name in an object of valid JSON; `JSON.parse` would silently keep the last value. */
export function doubledName(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (const [token, colon] of json.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      const names = open.at(-1);
      if (names?.has(name)) return name;
      names?.add(name);
    }
  }
  return undefined;
}
