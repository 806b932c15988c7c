/**
 * `/api/v1/events`: the event log as server-sent events. One reader per process follows the log for all streams. A
 * stream that overflows its buffer is ended with a reason.
 */
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { didYouMean } from '../../schemas/nearest-name.ts';
import { FLEET_EVENTS, PRINTER_ID } from '../../schemas/topics.ts';
import type { SignIn, Visitor } from '../accounts/sign-in.ts';
import type { EventRecord, RecordBounds, RecordedEvent } from '../fleet/event-record.ts';
import { CENTER_LIMITS } from '../limits.ts';

const KINDS = [...FLEET_EVENTS, 'document'] as readonly string[];
const EVENT_ID = /^\d{1,15}$/;

export interface EventFilter {
  kinds: ReadonlySet<string> | undefined;
  printers: ReadonlySet<string> | undefined;
}

function listOf(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  const texts = (Array.isArray(value) ? value : [value]).flatMap((each) => String(each).split(','));
  return texts.filter((text) => text !== '');
}

/**
 * Parses what a client subscribes to.
 * @throws PlatenError request/invalid
 */
export function eventFilter(query: Record<string, unknown>): EventFilter {
  const { kind, printer, ...rest } = query;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    const nearest = didYouMean(unknown, ['kind', 'printer']);
    throw new PlatenError('request/invalid', {
      reason: `unknown parameter ${JSON.stringify(unknown)}${nearest}`,
    });
  }
  const kinds = listOf(kind);
  const wrong = kinds?.find((each) => !KINDS.includes(each));
  if (wrong !== undefined) {
    const reason = `there is no kind ${JSON.stringify(wrong.slice(0, 64))}${didYouMean(wrong, KINDS)} (${KINDS.join(', ')})`;
    throw new PlatenError('request/invalid', { reason });
  }
  const printers = listOf(printer);
  if (printers?.some((each) => !PRINTER_ID.test(each)) || (printers?.length ?? 0) > 100) {
    throw new PlatenError('request/invalid', { reason: '"printer" takes at most 100 printer ids' });
  }
  return { kinds: kinds && new Set(kinds), printers: printers && new Set(printers) };
}

/** The last event id that the client saw. @throws PlatenError request/invalid */
export function lastSeenId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header !== 'string' || !EVENT_ID.test(header)) {
    throw new PlatenError('request/invalid', { reason: 'Last-Event-ID is not an id that this server sent' });
  }
  return Number(header);
}

function frame(event: string, data: string, id?: number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}

type Ending = 'slow' | 'session-ended' | 'shutdown' | 'unreadable' | 'closed';

/** One client. */
class Stream {
  readonly visitor: Visitor;
  readonly #filter: EventFilter;
  readonly #response: ServerResponse;
  /** Events that arrived while older ones were still being read; undefined once the client has caught up. */
  #held: RecordedEvent[] | undefined = [];
  #heldBytes = 0;
  over = false;
  ended: ((why: Ending) => void) | undefined;

  constructor(visitor: Visitor, filter: EventFilter, response: ServerResponse) {
    this.visitor = visitor;
    this.#filter = filter;
    this.#response = response;
    response.on('close', () => this.#finish('closed'));
    response.on('error', () => this.#finish('closed'));
  }

  write(text: string): void {
    if (this.over) return;
    this.#response.write(text);
    if (this.#response.writableLength > CENTER_LIMITS.events_stream_bytes_max) this.end('slow');
  }

  /** Sends new events. */
  live(rows: readonly RecordedEvent[]): void {
    if (!this.#held) {
      this.#send(rows);
      return;
    }
    for (const row of rows) {
      this.#heldBytes += row.data.length;
      this.#held.push(row);
    }
    if (this.#heldBytes > CENTER_LIMITS.events_stream_bytes_max) this.end('slow');
  }

  /** Sends past events; resolves when the client has read most of them. */
  async past(rows: readonly RecordedEvent[]): Promise<void> {
    let portion: RecordedEvent[] = [];
    let bytes = 0;
    for (const row of rows) {
      portion.push(row);
      bytes += row.data.length;
      if (bytes < CENTER_LIMITS.events_past_bytes) continue;
      this.#send(portion);
      await this.#drained();
      if (this.over) return;
      portion = [];
      bytes = 0;
    }
    this.#send(portion);
    await this.#drained();
  }

  /** Resolves when the client has read most of its buffer, or was dropped because it read nothing. */
  async #drained(): Promise<void> {
    if (this.over || !this.#response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      const timer = setTimeout(() => {
        this.end('slow');
        done();
      }, CENTER_LIMITS.events_stalled_ms_max);
      this.#response.once('drain', done);
      this.#response.once('close', done);
    });
  }

  /** The client has caught up: send what arrived in the meantime. */
  caughtUp(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#send(held);
  }

  #send(rows: readonly RecordedEvent[]): void {
    let text = '';
    for (const row of rows) {
      if (row.kind === 'gap') text += frame('reset', '{"reason":"events were lost"}', row.id);
      else if (this.#wants(row)) text += frame(row.kind, row.data, row.id);
    }
    if (text !== '') this.write(text);
  }

  #wants({ kind, printer }: RecordedEvent): boolean {
    const { kinds, printers } = this.#filter;
    return (!kinds || kinds.has(kind)) && (!printers || (printer !== null && printers.has(printer)));
  }

  end(why: Ending): void {
    if (this.over) return;
    this.#response.write(frame('dropped', JSON.stringify({ reason: why })));
    this.#finish(why);
    this.#response.end();
    // A client that reads nothing would not read the end of the response either. One that read it may reuse the connection.
    const response = this.#response;
    const { socket } = response;
    setTimeout(() => {
      if (!response.writableFinished) socket?.destroy();
    }, CENTER_LIMITS.events_farewell_ms_max).unref();
  }

  #finish(why: Ending): void {
    if (this.over) return;
    this.over = true;
    this.#held = undefined;
    this.ended?.(why);
  }
}

export class EventStreams {
  readonly #record: EventRecord;
  readonly #signIn: SignIn;
  readonly #log: Logger;
  readonly #streams = new Set<Stream>();
  readonly #stops: (() => unknown)[] = [];
  /** The last event that streams which have caught up were sent. */
  #position = 0;
  #reading: Promise<void> | undefined;
  #again = false;
  /** Ended streams, by reason. */
  readonly ended: Record<Ending, number> = {
    slow: 0,
    'session-ended': 0,
    shutdown: 0,
    unreadable: 0,
    closed: 0,
  };

  constructor(record: EventRecord, signIn: SignIn, log: Logger) {
    this.#record = record;
    this.#signIn = signIn;
    this.#log = log;
    const look = setInterval(() => this.#look(), CENTER_LIMITS.events_look_ms);
    const beat = setInterval(() => this.#beat(), CENTER_LIMITS.events_beat_ms);
    this.#stops.push(
      record.onWritten(() => this.#look()),
      signIn.onEnded(({ name, id }) =>
        this.#endThose(({ visitor }) => visitor.name === name || visitor.id === id),
      ),
      () => clearInterval(look),
      () => clearInterval(beat),
    );
  }

  /** Open streams. */
  get open(): number {
    return this.#streams.size;
  }

  /** Ensures that one more stream is allowed. @throws PlatenError events/too-many */
  admit({ name }: Visitor): void {
    const own = [...this.#streams].filter(({ visitor }) => visitor.name === name).length;
    const { events_streams_max, events_streams_person_max } = CENTER_LIMITS;
    if (own >= events_streams_person_max) {
      throw new PlatenError('events/too-many', { limit: events_streams_person_max });
    }
    if (this.#streams.size >= events_streams_max) {
      throw new PlatenError('events/too-many', { limit: events_streams_max });
    }
  }

  /** The first and last id of the log now. */
  bounds(): Promise<RecordBounds> {
    return this.#record.bounds();
  }

  /** Starts a stream on a response of which nothing has been sent. */
  serve(
    visitor: Visitor,
    { filter, lastId, bounds }: { filter: EventFilter; lastId: number | undefined; bounds: RecordBounds },
    response: ServerResponse,
  ): void {
    const { first, last } = bounds;
    const stream = new Stream(visitor, filter, response);
    // This is the only stream: nobody followed the log until now.
    if (this.#streams.size === 0) this.#position = Math.max(this.#position, last);
    this.#streams.add(stream);
    stream.ended = (why) => {
      this.#streams.delete(stream);
      this.ended[why] += 1;
    };
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    stream.write(`retry: ${CENTER_LIMITS.events_reader_retry_ms}\n\n`);
    const known =
      lastId !== undefined && lastId <= last && (lastId === last || lastId >= (first ?? last) - 1);
    if (lastId !== undefined && !known) {
      stream.write(frame('reset', '{"reason":"the record does not reach back so far"}', last));
    }
    this.#catchUp(stream, known ? lastId : last).then(
      () => stream.caughtUp(),
      (error: unknown) => {
        this.#log.warn({ reason: reasonOf(error) }, 'reading past events failed');
        stream.end('unreadable');
      },
    );
  }

  /** Sends a stream everything after an id, up to where the other streams are. */
  async #catchUp(stream: Stream, from: number): Promise<void> {
    const until = this.#position;
    for (let at = from; at < until && !stream.over; ) {
      const rows = await this.#record.read(at, CENTER_LIMITS.events_page);
      const last = rows.at(-1);
      if (!last) return;
      await stream.past(rows.filter(({ id }) => id <= until));
      at = last.id;
    }
  }

  #look(): void {
    if (this.#streams.size === 0) return;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = this.#read()
      .catch((error: unknown) => this.#log.warn({ reason: reasonOf(error) }, 'reading events failed'))
      .finally(() => {
        this.#reading = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.#look();
      });
  }

  async #read(): Promise<void> {
    for (;;) {
      const from = this.#position;
      const rows = await this.#record.read(from, CENTER_LIMITS.events_page);
      const last = rows.at(-1);
      // The last stream ended meanwhile, and a newer one started at the end of the log.
      if (!last || this.#position !== from) return;
      this.#position = last.id;
      for (const stream of this.#streams) stream.live(rows);
      if (rows.length < CENTER_LIMITS.events_page) return;
    }
  }

  /** Sends keep-alives, and ends streams of people who are no longer signed in. */
  #beat(): void {
    for (const stream of this.#streams) {
      stream.write(':\n\n');
      this.#signIn.holds(stream.visitor).then(
        (holds) => holds || stream.end('session-ended'),
        (error: unknown) => this.#log.warn({ reason: reasonOf(error) }, 'checking a session failed'),
      );
    }
  }

  #endThose(which: (stream: Stream) => boolean): void {
    for (const stream of this.#streams) if (which(stream)) stream.end('session-ended');
  }

  /** Ends all streams. */
  stop(): void {
    for (const stop of this.#stops) stop();
    for (const stream of this.#streams) stream.end('shutdown');
  }
}
