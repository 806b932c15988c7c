/**
 * Reads a printer over IPP. One request a read; the System Service (PWG 5100.22) is asked once whether it is there.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { IppAnswer } from '../../mapping/ipp-answer.ts';
import { ippReading, PRINTER_ATTRIBUTES, SYSTEM_ATTRIBUTES } from '../../mapping/ipp-reading.ts';
import type { Reading } from '../../mapping/reading.ts';
import type { MappingTables } from '../../mapping/tables.ts';
import { takesConnections } from '../alive.ts';
import { DRIVER_LIMITS } from '../limits.ts';
import type { Reader } from '../reader.ts';
import { decodeResponse, encodeRequest, OPERATION } from './codec.ts';

export interface IppAccess {
  /** `ipp://host[:631][/path]` or `ipps://…`. Without a path the usual ones are tried. */
  url: string;
  user?: string;
  password?: string;
  /**
   * `ipps` only. Printers sign their certificates themselves: any is taken, unless `verify` asks for one that the system
   * trusts, or `fingerprint` (SHA-256, hex) for a certain one.
   */
  verify?: boolean;
  fingerprint?: string;
  timeoutMs?: number;
}

/** Where printers have their queue when the address names none. */
const PATHS = ['/ipp/print', '/ipp/printer', '/ipp', '/ipp/port1', '/'];
const SYSTEM_PATH = '/ipp/system';
/** How long a printer without a System Service isn't asked for it again. */
const SYSTEM_RETRY_MS = 24 * 60 * 60_000;

const STATUS = { notFound: 0x0406, attributesUnsupported: 0x040b, versionUnsupported: 0x0503 };

/** An answer that isn't IPP: the HTTP status. */
class HttpStatus extends Error {
  readonly status: number;
  constructor(status: number) {
    super(
      status === 401 || status === 403
        ? `the printer asks for credentials (HTTP ${status})`
        : `the printer answers HTTP ${status} instead of IPP`,
    );
    this.status = status;
  }
}

/** A TLS connection to the printer whose certificate is the pinned one; nothing was sent over it yet. */
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
    const fail = (error: Error) =>
      reject(
        signal.aborted
          ? new Error(`no answer within ${access.timeoutMs ?? DRIVER_LIMITS.ippRequestMs} ms`)
          : error,
      );
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
        response.on('end', () => resolve(Buffer.concat(chunks)));
        // A connection that breaks in the middle: what came is decoded, the decoder sees that it is cut.
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
  private version: '1.1' | '2.0' = '2.0';
  /** Old printers refuse the list of attributes; they are asked for everything. */
  private listed = true;
  private systemAskedMs = Number.NEGATIVE_INFINITY;
  private systemThere = true;
  /** What the System Service answered last. */
  private system: IppAnswer | undefined;
  private requestId = 0;

  constructor(access: IppAccess, mapping: MappingTables) {
    this.access = access;
    this.mapping = mapping;
    this.base = new URL(access.url);
    this.url = `${this.base.protocol}//${this.base.host}${this.base.pathname}`;
    const { pathname } = this.base;
    this.path = pathname === '' || pathname === '/' ? undefined : pathname;
  }

  private async ask(operation: number, path: string, requested: string[]): Promise<IppAnswer> {
    const target = new URL(this.base);
    target.pathname = path;
    const uri = `${this.base.protocol}//${this.base.host}${path}`;
    this.requestId = (this.requestId % 0x7fffffff) + 1;
    const body = encodeRequest({ version: this.version, operation, id: this.requestId, uri, requested });
    return decodeResponse(await post(target, this.access, body));
  }

  /** Get-Printer-Attributes with what this printer turned out to need: another path, version, or no list. */
  private async askPrinter(path: string): Promise<IppAnswer> {
    for (;;) {
      const answer = await this.ask(
        OPERATION.getPrinterAttributes,
        path,
        this.listed ? PRINTER_ATTRIBUTES : [],
      );
      if (answer.status === STATUS.versionUnsupported && this.version === '2.0') this.version = '1.1';
      else if (this.listed && answer.status >= 0x0400 && answer.status !== STATUS.notFound)
        this.listed = false;
      else if (answer.status >= 0x0400)
        throw new Error(
          `the printer refuses with IPP status 0x${answer.status.toString(16).padStart(4, '0')}`,
        );
      else return answer;
    }
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
      // Most printers have none; it is asked again tomorrow. One that has is only late today: what it is made of stands,
      // and what holds is known by half.
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
      try {
        const answer = await this.askPrinter(path);
        this.path = path;
        return answer;
      } catch (error) {
        last = error;
        // No printer at this path; a printer that isn't there at all is not asked five times.
        if (!(error instanceof HttpStatus) && !/IPP status|not IPP/.test(String(error))) throw error;
      }
    }
    throw last;
  }

  async read(): Promise<Reading> {
    return ippReading(await this.readAnswer(), this.mapping);
  }

  alive(): Promise<boolean> {
    const port = this.base.port === '' ? 631 : Number(this.base.port);
    return takesConnections(this.base.hostname.replace(/^\[|\]$/g, ''), [port]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
