/**
 * Finds printers by mDNS / DNS-SD (RFC 6763): `_ipp._tcp` and `_ipps._tcp` carry the address and what the printer is.
 */
import { Bonjour, type Service } from 'bonjour-service';
import { tidy } from '../mapping/text.ts';

export interface FoundPrinter {
  /** `ipp://host:631/ipp/print`. */
  url: string;
  /** All announced addresses, including `url`. */
  urls: string[];
  name: string;
  /** Make and model (`ty`). */
  model?: string;
  uuid?: string;
  /** Its location (`note`). */
  location?: string;
  addresses: string[];
}

/** Printers listed at most. */
export const FOUND_MAX = 10_000;

/** Addresses of one printer that are kept. */
const URLS_MAX = 8;

function text(txt: Record<string, unknown>, key: string): string | undefined {
  // Keys are without regard to case (RFC 6763, 6.4).
  const found = Object.entries(txt).find(([name]) => name.toLowerCase() === key)?.[1];
  const value =
    typeof found === 'string' ? tidy(found) : Buffer.isBuffer(found) ? tidy(found.toString()) : '';
  return value === '' ? undefined : value;
}

/** A DNS-SD service as a printer; undefined when it can't be read as one. */
export function printerOfService(
  service: Pick<Service, 'name' | 'type' | 'host' | 'port' | 'txt' | 'addresses'>,
): FoundPrinter | undefined {
  const txt = (service.txt ?? {}) as Record<string, unknown>;
  const scheme = service.type === 'ipps' ? 'ipps' : service.type === 'ipp' ? 'ipp' : undefined;
  if (scheme === undefined || !service.host || service.port < 1) return undefined;
  const path = (text(txt, 'rp') ?? 'ipp/print').replace(/^\/+/, '');
  const host = service.host.replace(/\.$/, '');
  const model = text(txt, 'ty') ?? text(txt, 'product')?.replace(/^\(|\)$/g, '');
  const uuid = text(txt, 'uuid');
  const location = text(txt, 'note');
  const url = `${scheme}://${host}:${service.port}/${path}`;
  return {
    url,
    urls: [url],
    name: service.name,
    ...(model === undefined ? {} : { model }),
    ...(uuid === undefined ? {} : { uuid }),
    ...(location === undefined ? {} : { location }),
    addresses: service.addresses ?? [],
  };
}

/** Listens for `ms` and returns every printer once; with TLS if it offers both. */
export async function discover(options: {
  ms: number;
  interface?: string;
  port?: number;
}): Promise<FoundPrinter[]> {
  const found = new Map<string, FoundPrinter>();
  const bonjour = new Bonjour({
    // Linux delivers no multicast to a socket bound to the interface's address, which is the default of multicast-dns.
    ...(options.interface === undefined ? {} : { interface: options.interface, bind: '0.0.0.0' }),
    ...(options.port === undefined ? {} : { port: options.port }),
  } as Partial<Service>);
  const take = (service: Service) => {
    const printer = printerOfService(service);
    if (!printer || found.size >= FOUND_MAX) return;
    const key = printer.uuid ?? `${printer.name}@${new URL(printer.url).hostname}`;
    const known = found.get(key);
    const urls = [...new Set([...(known?.urls ?? []), printer.url])].slice(0, URLS_MAX);
    found.set(key, { ...(known && !printer.url.startsWith('ipps:') ? known : printer), urls });
  };
  for (const type of ['ipp', 'ipps']) bonjour.find({ type }, take);
  await new Promise((resolve) => setTimeout(resolve, options.ms));
  await new Promise<void>((resolve) => bonjour.destroy(() => resolve()));
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}
