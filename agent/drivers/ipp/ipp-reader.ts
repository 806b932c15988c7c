/**
 * Reads a printer over IPP with one request per read. The System Service (PWG 5100.22) is probed once.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { gunzipSync, inflateSync } from 'node:zlib';
import { reasonOf } from '../../../schemas/errors.ts';
import type { IppAnswer } from '../../mapping/ipp-answer.ts';
import { ippReading, PRINTER_ATTRIBUTES, SYSTEM_ATTRIBUTES } from '../../mapping/ipp-reading.ts';
import type { Reading } from '../../mapping/reading.ts';
import type { MappingTables } from '../../mapping/tables.ts';
import { takesConnections } from '../alive.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import { ErrorAnswer, type Reader } from '../reader.ts';
import { decodeResponse, encodeRequest, type IppVersion, OPERATION } from './codec.ts';
import { FIRMWARE_ATTRIBUTES } from './firmware-offer.ts';
import { type FirmwareRequests, FirmwareUpdate, type FirmwareUpdateSettings } from './firmware-update.ts';

export interface IppAccess {
  /** `ipp://host[:631][/path]` or `ipps://…`. Without a path the usual ones are tried. */
  url: string;
  user?: string;
  password?: string;
  /**
   * `ipps` only. Printers sign their own certificates, so any is accepted, unless `verify` requires one that the system
   * trusts, or `fingerprint` (SHA-256, hex) pins one.
   */
  verify?: boolean;
  fingerprint?: string;
  timeoutMs?: number;
  /** IPP Firmware Update; without it the reader only reads. */
  firmwareUpdate?: FirmwareUpdateSettings;
}

/** Usual paths of the queue, for a URL without one. */
const PATHS = ['/ipp/print', '/ipp/printer', '/ipp', '/ipp/port1', '/'];
const SYSTEM_PATH = '/ipp/system';
/** How long to wait before probing again for a System Service. */
const SYSTEM_RETRY_MS = 24 * 60 * 60_000;

const STATUS = {
  badRequest: 0x0400,
  forbidden: 0x0401,
  notAuthenticated: 0x0402,
  notAuthorized: 0x0403,
  notFound: 0x0406,
  versionUnsupported: 0x0503,
};
const LOWER: Partial<Record<IppVersion, IppVersion>> = { '2.0': '1.1', '1.1': '1.0' };

/** What to do about an IPP status, where that is known. */
const ADVICE: Record<number, string> = {
  [STATUS.forbidden]: 'it lets nobody read it from here: look at its access list',
  [STATUS.notAuthenticated]: 'it asks for a user and password: give ipp.user and ipp.password',
  [STATUS.notAuthorized]: 'it refuses this user: give another ipp.user, or allow it on the printer',
  [STATUS.versionUnsupported]: 'it speaks none of IPP 2.0, 1.1 and 1.0: read it over SNMP',
};

/** An answer that isn't IPP: the HTTP status. */
class HttpStatus extends ErrorAnswer {
  constructor(status: number) {
    super(
      status === 401 || status === 403
        ? `the printer asks for credentials (HTTP ${status})`
        : status === 426
          ? 'the printer takes only encrypted requests (HTTP 426): use ipps:// in its address'
          : `the printer answers HTTP ${status} instead of IPP`,
      status,
    );
  }
}

/**
 * The body of a response that Node rejects for two Content-Lengths, if they agree and it came in one piece.
 */
function bodyOfRefused(error: Error): Buffer | undefined {
  const { code, rawPacket } = error as Error & { code?: string; rawPacket?: Buffer };
  if (code !== 'HPE_UNEXPECTED_CONTENT_LENGTH' || !rawPacket) return undefined;
  const end = rawPacket.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [status = '', ...lines] = rawPacket.toString('latin1', 0, end).split('\r\n');
  const lengths = lines.flatMap((line) => (/^content-length:/i.test(line) ? [Number(line.slice(15))] : []));
  const [length] = lengths;
  if (!/^HTTP\/1\.[01] 200\b/.test(status) || length === undefined) return undefined;
  const body = rawPacket.subarray(end + 4);
  return lengths.every((each) => each === length) && body.length === length ? body : undefined;
}

/** The decompressed response: some printers compress it without being asked. */
function unpacked(bytes: Buffer, encoding: string | undefined): Buffer {
  const limit = { maxOutputLength: DRIVER_LIMITS.ippAnswerBytesMax };
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return bytes;
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(bytes, limit);
    case 'deflate':
      return inflateSync(bytes, limit);
    default:
      throw new ErrorAnswer(`the printer answers in the encoding "${encoding}", which nobody asked for`);
  }
}

/** A TLS connection whose certificate matches the pinned one; nothing was sent over it yet. */
function pinnedSocket(
  host: string,
  port: number,
  fingerprint: string,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false }, () => {
      const shown = socket.getPeerCertificate().fingerprint256 ?? '';
      if (shown.replaceAll(':', '').toLowerCase() === fingerprint.replaceAll(':', '').toLowerCase())
        resolve(socket);
      else socket.destroy(new Error('the printer shows another certificate than the one that is pinned'));
    });
    socket.on('error', reject);
    signal.addEventListener('abort', () => socket.destroy(new Error('no answer in time')), { once: true });
  });
}

async function post(target: URL, access: IppAccess, body: Buffer): Promise<Buffer> {
  const secure = target.protocol === 'ipps:' || target.protocol === 'https:';
  const signal = AbortSignal.timeout(access.timeoutMs ?? DRIVER_LIMITS.ippRequestMs);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const port = target.port === '' ? 631 : Number(target.port);
  const pinned =
    secure && access.fingerprint !== undefined
      ? await pinnedSocket(host, port, access.fingerprint, signal)
      : undefined;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      const body = bodyOfRefused(error);
      if (body) resolve(body);
      else if (signal.aborted)
        reject(new Error(`no answer within ${access.timeoutMs ?? DRIVER_LIMITS.ippRequestMs} ms`));
      else if ((error as { code?: string }).code?.startsWith('HPE_'))
        reject(new ErrorAnswer(`the printer breaks HTTP (${error.message}): read it over SNMP`));
      else reject(error);
    };
    const request = (secure ? httpsRequest : httpRequest)(
      {
        host,
        port,
        path: target.pathname,
        method: 'POST',
        headers: { 'Content-Type': 'application/ipp', 'Content-Length': body.length },
        agent: false,
        signal,
        ...(access.user === undefined ? {} : { auth: `${access.user}:${access.password ?? ''}` }),
        ...(secure ? { rejectUnauthorized: access.verify === true } : {}),
        ...(pinned === undefined ? {} : { createConnection: () => pinned }),
      },
      (response) => {
        const { statusCode = 0 } = response;
        if (statusCode !== 200) {
          response.resume();
          reject(new HttpStatus(statusCode));
          return;
        }
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > DRIVER_LIMITS.ippAnswerBytesMax) {
            request.destroy(new Error(`the answer is longer than ${DRIVER_LIMITS.ippAnswerBytesMax} bytes`));
            return;
          }
          chunks.push(chunk);
        });
        response.on('end', () => {
          try {
            resolve(unpacked(Buffer.concat(chunks), response.headers['content-encoding']));
          } catch (error) {
            reject(new ErrorAnswer(`the printer's answer can't be unpacked: ${reasonOf(error)}`));
          }
        });
        // A connection that breaks in the middle: the received part is decoded, and the decoder sees that it is cut.
        response.on('error', (error) =>
          bytes > 0 && !signal.aborted ? resolve(Buffer.concat(chunks)) : fail(error),
        );
      },
    );
    request.on('error', fail);
    request.end(body);
  });
}

export class IppReader implements Reader {
  readonly kind = 'ipp';
  readonly url: string;
  private readonly access: IppAccess;
  private readonly mapping: MappingTables;
  private readonly base: URL;
  private path: string | undefined;
  private version: IppVersion = '2.0';
  /** False for printers that refuse user names that are not on their list. */
  private named = true;
  /** False for old printers that refuse a list of attributes; they are asked for all of them. */
  private listed = true;
  private systemAskedMs = Number.NEGATIVE_INFINITY;
  private systemThere = true;
  /** What the System Service answered last. */
  private system: IppAnswer | undefined;
  private requestId = 0;
  readonly installer: FirmwareUpdate | undefined;

  constructor(access: IppAccess, mapping: MappingTables) {
    this.access = access;
    this.mapping = mapping;
    this.base = new URL(access.url);
    this.url = `${this.base.protocol}//${this.base.host}${this.base.pathname}`;
    const { pathname } = this.base;
    this.path = pathname === '' || pathname === '/' ? undefined : pathname;
    const requests: FirmwareRequests = {
      url: this.base,
      attributes: () => this.readAnswer(),
      operate: async (operation, keywords) => {
        if (this.path === undefined) await this.findPrinter();
        return this.ask(operation, this.path ?? '/', [], keywords);
      },
    };
    this.installer = access.firmwareUpdate && new FirmwareUpdate(requests, mapping, access.firmwareUpdate);
  }

  private async ask(
    operation: number,
    path: string,
    requested: string[],
    keywords: Record<string, string> = {},
  ): Promise<IppAnswer> {
    const target = new URL(this.base);
    target.pathname = path;
    const uri = `${this.base.protocol}//${this.base.host}${path}`;
    this.requestId = (this.requestId % 0x7fffffff) + 1;
    const body = encodeRequest({
      version: this.version,
      operation,
      id: this.requestId,
      uri,
      requested,
      keywords,
      ...(this.named ? { userName: this.access.user ?? 'platen' } : {}),
    });
    return decodeResponse(await post(target, this.access, body));
  }

  /** Get-Printer-Attributes in a form that this printer accepts: another version, no user name, or no list. */
  private async askPrinter(path: string): Promise<IppAnswer> {
    for (;;) {
      let answer: IppAnswer;
      try {
        answer = await this.ask(OPERATION.getPrinterAttributes, path, this.listed ? this.requested : []);
      } catch (error) {
        // Some reject an unknown IPP version with an HTTP status.
        if (error instanceof HttpStatus && error.status === 400 && this.lower()) continue;
        throw error;
      }
      const { status } = answer;
      if (status < 0x0400) return answer;
      const refused = status === STATUS.forbidden || status === STATUS.notAuthorized;
      if ((status === STATUS.versionUnsupported || status === STATUS.badRequest) && this.lower()) continue;
      if (refused && this.named && this.access.user === undefined) {
        this.named = false;
        continue;
      }
      if (this.listed && status !== STATUS.notFound) {
        // The version may have been right, and only the list wrong.
        this.listed = false;
        this.version = '2.0';
        continue;
      }
      const advice = ADVICE[status];
      const code = `0x${status.toString(16).padStart(4, '0')}`;
      throw new ErrorAnswer(
        `the printer refuses with IPP status ${code}${advice === undefined ? '' : `: ${advice}`}`,
        status,
      );
    }
  }

  private get requested(): string[] {
    return this.installer ? [...PRINTER_ATTRIBUTES, ...FIRMWARE_ATTRIBUTES] : PRINTER_ATTRIBUTES;
  }

  /** The version below; false when there is none. */
  private lower(): boolean {
    const version = LOWER[this.version];
    if (version === undefined) return false;
    this.version = version;
    return true;
  }

  /** The printer's attributes with those of its System Service, where it has one. */
  async readAnswer(): Promise<IppAnswer> {
    const answer = await this.findPrinter();
    if (!this.systemThere && Date.now() - this.systemAskedMs < SYSTEM_RETRY_MS) return answer;
    this.systemAskedMs = Date.now();
    try {
      const system = await this.ask(OPERATION.getSystemAttributes, SYSTEM_PATH, SYSTEM_ATTRIBUTES);
      this.systemThere = system.status < 0x0400;
      this.system = this.systemThere ? system : undefined;
      if (system.cut) answer.cut = true;
    } catch {
      // Most printers have none; probe again tomorrow. If it answered before, it is only slow: keep its structure, and
      // treat the conditions as incomplete.
      this.systemThere = this.system !== undefined;
      if (this.system) answer.cut = true;
    }
    for (const [name, values] of this.system?.attributes ?? []) {
      if (name.startsWith('system-')) answer.attributes.set(name, values);
    }
    return answer;
  }

  private async findPrinter(): Promise<IppAnswer> {
    if (this.path !== undefined) return this.askPrinter(this.path);
    let last: unknown;
    for (const path of PATHS) {
      // What another path accepted says nothing about this one.
      this.version = '2.0';
      this.listed = true;
      this.named = true;
      try {
        const answer = await this.askPrinter(path);
        this.path = path;
        return answer;
      } catch (error) {
        last = error;
        // No printer at this path: try the next. A printer that is off is not asked five times.
        if (!(error instanceof HttpStatus) && !/IPP status|not IPP/.test(String(error))) throw error;
      }
    }
    throw last;
  }

  async read(): Promise<Reading> {
    const answer = await this.readAnswer();
    this.installer?.note(answer);
    return ippReading(answer, this.mapping);
  }

  alive(): Promise<boolean> {
    const port = this.base.port === '' ? 631 : Number(this.base.port);
    return takesConnections(this.base.hostname.replace(/^\[|\]$/g, ''), [port]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
