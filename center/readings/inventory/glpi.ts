/**
 * A printer in GLPI's inventory format (JSON, `inventory_format`), for its network inventory. Pure. Unknown values are
 * left out.
 */
import { isIP } from 'node:net';
import type { InventoryPrinter } from './inventory.ts';

type Supply = NonNullable<InventoryPrinter['readings']>['supplies'][number];

const PERCENT = 100;
const CLIENT = 'Platen';

/** GLPI's names of counters, with those of the wire contract. */
const COUNTERS: Record<string, string> = {
  total: 'impressions',
  color: 'impressions-color',
  rectoverso: 'impressions-two-sided',
  scanned: 'scans',
  copytotal: 'copies',
  faxtotal: 'faxes',
};

/** GLPI's prefixes of colours, and its names of supplies without one. */
const COLORED: Record<string, string> = { toner: 'toner', ink: 'cartridge', drum: 'drum' };
const PLAIN: Record<string, string> = {
  fuser: 'fuserkit',
  transfer: 'transferkit',
  waste: 'wastetoner',
  staples: 'staples',
};
const STATES: Record<NonNullable<Supply['state']>, string> = {
  ok: 'OK',
  low: 'WARNING',
  empty: 'BAD',
  missing: 'BAD',
  full: 'BAD',
};

function cartridgeName({ kind, color }: Supply): string | undefined {
  const colored = COLORED[kind];
  if (colored === undefined) return PLAIN[kind];
  return color === undefined ? undefined : `${colored}${color.toLowerCase().replaceAll(/[^a-z]/g, '')}`;
}

/** Percent left, or the printer's state of it. */
function cartridgeValue({ left, state }: Supply): string | undefined {
  if (left !== undefined) return String(Math.round(left * PERCENT));
  return state === undefined ? undefined : STATES[state];
}

/** Of several supplies with one name the one that is empty first counts. */
function cartridgesOf(supplies: readonly Supply[]): Record<string, string> {
  const named = new Map<string, { value: string; left: number }>();
  for (const supply of supplies) {
    const [name, value] = [cartridgeName(supply), cartridgeValue(supply)];
    if (name === undefined || value === undefined) continue;
    const left = supply.left ?? (value === 'OK' ? 1 : 0);
    if (left < (named.get(name)?.left ?? Number.POSITIVE_INFINITY)) named.set(name, { value, left });
  }
  return Object.fromEntries([...named].map(([name, { value }]) => [name, value]));
}

function firmwaresOf({ structure }: InventoryPrinter) {
  if (!structure) return [];
  const parts = [{ type: 'device', description: 'apparatus', software: structure.apparatus.software }].concat(
    structure.units.map(({ symbol, kind, software }) => ({ type: kind, description: symbol, software })),
  );
  return parts.flatMap(({ type, description, software = [] }) =>
    software.map(({ id, vendor, version }) => ({
      name: id,
      type,
      description,
      ...(version === undefined ? {} : { version }),
      ...(vendor === undefined ? {} : { manufacturer: vendor }),
    })),
  );
}

/** The document for GLPI. */
export function glpiInventory(printer: InventoryPrinter): Record<string, unknown> {
  const { structure, readings } = printer;
  const { facts = {}, counters = {}, supplies = [] } = readings ?? {};
  const firmwares = firmwaresOf(printer);
  const own = structure?.apparatus.software?.find(({ version }) => version !== undefined);
  const device: Record<string, unknown> = { type: 'Printer', name: facts.hostname ?? printer.printer };
  const more = {
    model: structure?.apparatus.model,
    serial: structure?.apparatus.serial,
    manufacturer: own?.vendor,
    firmware: own?.version,
    mac: facts.mac,
    location: facts.location,
    contact: facts.contact,
    ...(facts.address !== undefined && isIP(facts.address) !== 0 ? { ips: [facts.address] } : {}),
  };
  for (const [name, value] of Object.entries(more)) if (value !== undefined) device[name] = value;
  const pages = Object.entries(COUNTERS).flatMap(([name, counter]) => {
    const value = Object.hasOwn(counters, counter) ? counters[counter] : undefined;
    return value === undefined ? [] : [[name, value] as const];
  });
  const cartridges = cartridgesOf(supplies);
  return {
    action: 'netinventory',
    deviceid: `platen-${printer.printer}`,
    itemtype: 'Printer',
    content: {
      versionclient: CLIENT,
      network_device: device,
      ...(firmwares.length > 0 ? { firmwares } : {}),
      ...(pages.length > 0 ? { pagecounters: Object.fromEntries(pages) } : {}),
      ...(Object.keys(cartridges).length > 0 ? { cartridges: [cartridges] } : {}),
    },
  };
}
