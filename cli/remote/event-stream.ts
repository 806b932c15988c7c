/** Parses server-sent events (WHATWG HTML, 9.2.6) as far as a center sends them. Pure. */

export interface RawEvent {
  id: string;
  event: string;
  data: string;
}

/** @returns takes in a piece of the stream and gives the events that it completes */
export function createParser(): (piece: string) => RawEvent[] {
  let rest = '';
  let id = '';
  let event = '';
  let data: string[] = [];
  return (piece) => {
    const done: RawEvent[] = [];
    const text = rest + piece;
    // A carriage return at the end may be half of a line end.
    const held = text.endsWith('\r') ? '\r' : '';
    const lines = text.slice(0, text.length - held.length).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? '') + held;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) done.push({ id, event: event || 'message', data: data.join('\n') });
        event = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'id') id = value;
      else if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
    return done;
  };
}
