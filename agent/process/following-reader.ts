/**
 * Reads one printer even if its address changes. Answers of other printers are rejected, and a printer that left its
 * address is searched for and read at its new one.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { PlatenError, reasonOf } from '../../schemas/errors.ts';
import { DRIVER_LIMITS } from '../drivers/limits.ts';
import { type Installer, type QuickReading, quickOf, type Reader } from '../drivers/reader.ts';
import { keepFile } from '../drivers/state-file.ts';
import type { Reading } from '../mapping/reading.ts';
import type { FoundReadings } from '../mapping/readings/found-readings.ts';
import type { Find, Place } from './finder.ts';
import { identityFor, type KnownIdentity, learn, UNKNOWN_IDENTITY, verdictOf } from './identity.ts';
import type { OpenedReader } from './open-reader.ts';
import type { TrapSource } from './traps.ts';

export interface FollowOptions {
  /** Opens the printer at these addresses. */
  open: (urls: string[]) => OpenedReader;
  /** Its addresses in the configuration. */
  urls: string[];
  /** Serial number in the configuration: no other printer is accepted. */
  pinned?: string;
  /** File for the learned identity; absent: it is learned again at every start. */
  file?: string;
  /** Absent: a printer that moved is not searched for. */
  find?: Find;
  /** Which printer of this process is at which host: a host that is taken is not a candidate by its model alone. */
  hosts?: Map<string, object>;
  log: Logger;
  now?: () => number;
}

/** Content of the file. */
interface Kept {
  known: KnownIdentity;
  /** Its new addresses, and the configured ones that they replace; valid while the configuration stays the same. */
  moved?: { from: string[]; to: string[] };
}

function load(file: string | undefined): Kept {
  if (file === undefined) return { known: UNKNOWN_IDENTITY };
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
    if (typeof kept.known?.serials === 'object' && kept.known.serials !== null) return kept;
  } catch {
    // First start or unreadable file: learn it again from the printer.
  }
  return { known: UNKNOWN_IDENTITY };
}

/**
 * The addresses of a printer at another place. SNMP keeps its port, IPP uses the announced address, and TLS is never
 * dropped. Undefined when the printer must not be asked there: anybody can announce its name, and would be sent the
 * password before proving its identity. (An SNMP 2c community is sent in the clear anyway.)
 */
export function urlsAt(urls: string[], place: Place): string[] | undefined {
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  const moved: string[] = [];
  for (const address of urls) {
    const url = new URL(address);
    if (url.protocol === 'snmp:') {
      // Replace only the host: the community may be the same text.
      url.hostname = host;
      moved.push(url.toString());
      continue;
    }
    const announced = place.urls.find((candidate) => candidate.startsWith(url.protocol));
    const safer =
      announced ?? (url.protocol === 'ipp:' ? place.urls.find((u) => u.startsWith('ipps:')) : undefined);
    if (safer === undefined) return undefined;
    if (url.password !== '') return undefined;
    const target = new URL(safer);
    moved.push(`${target.protocol}//${host}:${target.port || '631'}${target.pathname}`);
  }
  return moved;
}

export class FollowingReader implements Reader {
  readonly kind: string;
  private readonly options: FollowOptions;
  private readonly now: () => number;
  private opened: OpenedReader;
  private urls: string[];
  private known: KnownIdentity;
  private keptText: string;
  /** Another printer answered last: every read is a full one until the expected printer proves its identity. */
  private doubted = false;
  /** It was just found elsewhere: quick reads of the new reader have nothing to compare with. */
  private fresh = false;
  private seeking: Promise<void> | undefined;
  private soughtMs = Number.NEGATIVE_INFINITY;
  /** When it last answered, or when this process started. */
  private answeredMs: number;
  /** The candidate that is being tried. */
  private candidate: Reader | undefined;
  private nudge: (() => void) | undefined;
  private closed = false;
  readQuick?: NonNullable<Reader['readQuick']>;
  readReadings?: NonNullable<Reader['readReadings']>;
  knock?: NonNullable<Reader['knock']>;
  /** Receives the printer's traps, wherever it is now. */
  readonly traps?: TrapSource;

  constructor(options: FollowOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.answeredMs = this.now();
    const kept = load(options.file);
    this.known = identityFor(kept.known, options.pinned);
    this.keptText = JSON.stringify(kept);
    this.urls = kept.moved && String(kept.moved.from) === String(options.urls) ? kept.moved.to : options.urls;
    this.opened = options.open(this.urls);
    this.kind = this.opened.reader.kind;
    const { snmp } = this.opened;
    if (snmp) this.traps = this.trapSource(snmp);
    if (this.opened.reader.readQuick) this.readQuick = () => this.quick();
    if (this.opened.reader.readReadings) this.readReadings = () => this.measured();
    if (this.opened.reader.knock) this.knock = () => this.knocked();
  }

  get installer(): Installer | undefined {
    return this.opened.reader.installer;
  }

  /** The current address. */
  get url(): string {
    return this.opened.reader.url;
  }

  private trapSource(first: NonNullable<OpenedReader['snmp']>): TrapSource {
    const current = () => this.opened.snmp ?? first;
    return {
      get host() {
        return current().host;
      },
      reader: { trap: (variables) => current().reader.trap(variables) },
      ...(first.user === undefined ? {} : { user: first.user }),
    };
  }

  async read(): Promise<Reading> {
    let reading: Reading;
    try {
      reading = await this.opened.reader.read();
    } catch (error) {
      this.seek();
      throw error;
    }
    const verdict = verdictOf(this.known, this.options.pinned, reading);
    if (verdict !== 'unknown') this.doubted = verdict === 'other';
    if (this.doubted) {
      this.seek();
      const { serial } = reading.structure.apparatus;
      throw new PlatenError('agent/other-printer', {
        url: this.url,
        found: serial ?? 'none',
        expected: this.options.pinned ?? Object.values(this.known.serials)[0] ?? this.known.uuid ?? 'unknown',
      });
    }
    this.known = learn(this.known, reading);
    this.answeredMs = this.now();
    for (const host of this.hosts()) this.options.hosts?.set(host, this);
    this.keep();
    return reading;
  }

  private async quick(): Promise<QuickReading> {
    // A quick read compares with the last full one, which may have been of the other printer.
    const whole = async () => ({ ...quickOf(await this.read()), structureMayDiffer: true });
    if (this.doubted || this.fresh) {
      const found = await whole();
      this.fresh = false;
      return found;
    }
    try {
      const found = await this.opened.reader.readQuick?.();
      if (!found || this.doubted) return await whole();
      this.answeredMs = this.now();
      return found;
    } catch (error) {
      this.seek();
      throw error;
    }
  }

  private async measured(): Promise<FoundReadings | undefined> {
    // Counters of another printer at this address would look like a reset.
    if (this.doubted || this.fresh) return (await this.read()).measured;
    try {
      const found = await this.opened.reader.readReadings?.();
      if (this.doubted) return (await this.read()).measured;
      this.answeredMs = this.now();
      return found;
    } catch (error) {
      this.seek();
      throw error;
    }
  }

  private async knocked(): Promise<void> {
    try {
      await this.opened.reader.knock?.();
    } catch (error) {
      this.seek();
      throw error;
    }
  }

  alive(): Promise<boolean> {
    return this.opened.reader.alive?.() ?? Promise.resolve(false);
  }

  /** Searches for it in the background, rarely: a silent printer is usually asleep, not moved. */
  private seek(): void {
    const { find } = this.options;
    // A printer that never answered can't be recognised.
    const recognisable = this.options.pinned !== undefined || Object.keys(this.known.serials).length > 0;
    if (!find || this.seeking || this.closed || !(recognisable || this.known.uuid !== undefined)) return;
    const nowMs = this.now();
    // Another printer at its address means that it moved; silence means so only after a while.
    if (!this.doubted && nowMs - this.answeredMs < DRIVER_LIMITS.seekAfterMs) return;
    if (nowMs - this.soughtMs < DRIVER_LIMITS.seekPauseMs) return;
    this.soughtMs = nowMs;
    this.seeking = this.lookAround(find)
      .catch((error: unknown) =>
        this.options.log.warn({ url: this.url, reason: reasonOf(error) }, 'the printer cannot be looked for'),
      )
      .finally(() => {
        this.seeking = undefined;
      });
  }

  private async lookAround(find: Find): Promise<void> {
    const places = await find(this.known);
    // It may be back at its configured address.
    const free = places.filter(({ host, byModel }) => {
      const owner = this.options.hosts?.get(host);
      return !byModel || owner === undefined || owner === this;
    });
    const candidates = [this.options.urls, ...free.map((place) => urlsAt(this.options.urls, place))];
    const tried = new Set([String(this.urls)]);
    for (const urls of candidates) {
      if (urls === undefined || tried.has(String(urls)) || this.closed) continue;
      tried.add(String(urls));
      const candidate = this.options.open(urls);
      this.candidate = candidate.reader;
      const itIs = await this.isIt(candidate);
      this.candidate = undefined;
      if (itIs && !this.closed) {
        await this.moveTo(urls, candidate);
        return;
      }
      await candidate.reader.close();
    }
  }

  private hosts(): string[] {
    return this.urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ''));
  }

  private async isIt({ reader }: OpenedReader): Promise<boolean> {
    try {
      return verdictOf(this.known, this.options.pinned, await reader.read()) === 'same';
    } catch {
      return false; // No answer: try the next place.
    }
  }

  private async moveTo(urls: string[], found: OpenedReader): Promise<void> {
    const before = this.opened;
    const from = this.url;
    this.opened = found;
    this.urls = urls;
    this.doubted = false;
    this.fresh = true;
    if (this.nudge) found.reader.onNudge?.(this.nudge);
    this.keep();
    this.options.log.warn({ from, to: this.url }, 'the printer is at another address; it is read there now');
    for (const [host, owner] of this.options.hosts ?? [])
      if (owner === this) this.options.hosts?.delete(host);
    await before.reader.close();
    this.nudge?.();
  }

  private keep(): void {
    const { file, log, urls } = this.options;
    const kept: Kept = {
      known: this.known,
      ...(String(this.urls) === String(urls) ? {} : { moved: { from: urls, to: this.urls } }),
    };
    const text = JSON.stringify(kept);
    if (file === undefined || text === this.keptText) return;
    this.keptText = text;
    keepFile(file, kept, log);
  }

  onNudge(nudge: () => void): void {
    this.nudge = nudge;
    this.opened.reader.onNudge?.(nudge);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.candidate?.close();
    await Promise.race([
      this.seeking,
      new Promise((done) => setTimeout(done, DRIVER_LIMITS.seekEndMs).unref()),
    ]);
    await this.opened.reader.close();
  }
}
