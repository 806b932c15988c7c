/**
 * Reads one printer wherever it is: an answer is only taken from the printer that is known, and one that is not at its
 * address any more is looked for and read where it is.
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
  /** Serial number in the configuration: no other printer is ever spoken for. */
  pinned?: string;
  /** File for what was learned; absent: it is learned anew at every start. */
  file?: string;
  /** Absent: a printer that moved is not looked for. */
  find?: Find;
  /** Who of the process is at which host: a printer that is somebody is not asked who it is for its model alone. */
  hosts?: Map<string, object>;
  log: Logger;
  now?: () => number;
}

/** What is kept in the file. */
interface Kept {
  known: KnownIdentity;
  /** Where it was found, and at which addresses of the configuration it was not: other ones begin anew. */
  moved?: { from: string[]; to: string[] };
}

function load(file: string | undefined): Kept {
  if (file === undefined) return { known: UNKNOWN_IDENTITY };
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
    if (typeof kept.known?.serials === 'object' && kept.known.serials !== null) return kept;
  } catch {
    // The first start, or a file that can't be read: it is learned again from the printer.
  }
  return { known: UNKNOWN_IDENTITY };
}

/**
 * The addresses of a printer at another place. SNMP keeps its port, IPP takes what is announced; TLS is never given up.
 * Undefined where the printer isn't to be asked: anybody in the network can announce its name, and would be told the
 * password before showing who it is. (A community of SNMP 2c crosses the network in the clear with every question.)
 */
export function urlsAt(urls: string[], place: Place): string[] | undefined {
  const host = place.host.includes(':') ? `[${place.host}]` : place.host;
  const moved: string[] = [];
  for (const address of urls) {
    const url = new URL(address);
    if (url.protocol === 'snmp:') {
      // Only the host: the community before it may be the same text.
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
  /** Another printer answered last: until the expected one shows who it is, every read is a whole one. */
  private doubted = false;
  /** It was found elsewhere: what the reader before knew of it is not comparable. */
  private fresh = false;
  private seeking: Promise<void> | undefined;
  private soughtMs = Number.NEGATIVE_INFINITY;
  /** When it answered last, or this run began. */
  private answeredMs: number;
  /** The place that is being tried. */
  private candidate: Reader | undefined;
  private nudge: (() => void) | undefined;
  private closed = false;
  readQuick?: NonNullable<Reader['readQuick']>;
  readReadings?: NonNullable<Reader['readReadings']>;
  knock?: NonNullable<Reader['knock']>;
  /** The SNMP part, to which traps from that host go, wherever that is. */
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

  /** Where it is read now. */
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
    // A quick read compares with the last whole one, and that may have been of the other printer.
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

  /** Looks for it in the background, now and then: silence is sleep far more often than a new address. */
  private seek(): void {
    const { find } = this.options;
    // Of a printer that never answered nothing is known by which another one could be told from it.
    const recognisable = this.options.pinned !== undefined || Object.keys(this.known.serials).length > 0;
    if (!find || this.seeking || this.closed || !(recognisable || this.known.uuid !== undefined)) return;
    const nowMs = this.now();
    // Another printer at its address says that it has moved; silence says so only after a while.
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
    // It may be back where the configuration has it.
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
      return false; // Nobody there, or nobody who answers: the next place is tried.
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
