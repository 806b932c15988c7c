/**
 * Creates the driver of a configured printer.
 */
import { PlatenError } from '../../schemas/errors.ts';
import type { AgentPrinter } from '../../schemas/types.ts';
import type { Driver } from '../driver.ts';
import { type BambuAccess, BambuReader } from '../drivers/bambu/bambu-reader.ts';
import { CommandDriver } from '../drivers/command/command-driver.ts';
import { PolledDriver, type PolledOptions } from '../drivers/polled-driver.ts';
import type { MappingTables } from '../mapping/tables.ts';
import { FollowingReader, type FollowOptions } from './following-reader.ts';
import { openReader } from './open-reader.ts';
import type { TrapSource } from './traps.ts';

export interface OpenedDriver {
  driver: Driver;
  /** Receives its traps. */
  traps?: TrapSource;
}

/** `bambu://SERIAL@host[:8883]` with the access code from the settings. */
export function bambuAccess(address: string, settings: AgentPrinter['bambu']): BambuAccess {
  const url = new URL(address);
  if (!settings || url.username === '') {
    throw new PlatenError('agent/driver', {
      url: `bambu://${url.host}`,
      reason: 'serial number and access code are needed',
      hint: 'bambu://SERIAL@host, and the access code in bambu.accessCode (or --access-code).',
    });
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 8883 : Number(url.port),
    serial: decodeURIComponent(url.username),
    accessCode: settings.accessCode,
    ...(settings.fingerprint === undefined ? {} : { fingerprint: settings.fingerprint }),
  };
}

export function openDriver(
  printer: AgentPrinter,
  mapping: MappingTables,
  options: PolledOptions,
  follow: Pick<FollowOptions, 'file' | 'find' | 'hosts'> = {},
): OpenedDriver {
  const [address = ''] = printer.urls;
  if (address.startsWith('bambu:')) {
    return { driver: new PolledDriver(new BambuReader(bambuAccess(address, printer.bambu)), options) };
  }
  if (address.startsWith('command:')) {
    const { run = [], settings } = printer.command ?? {};
    return {
      driver: new CommandDriver({
        run,
        printer: printer.printer,
        url: address,
        log: options.log,
        ...(settings === undefined ? {} : { settings }),
        ...(options.stateFile === undefined ? {} : { stateFile: options.stateFile }),
      }),
    };
  }
  const { urls, serial, snmp, ipp } = printer;
  const reader = new FollowingReader({
    open: (at) =>
      openReader(
        { urls: at, ...(snmp === undefined ? {} : { snmp }), ...(ipp === undefined ? {} : { ipp }) },
        mapping,
      ),
    urls,
    ...(serial === undefined ? {} : { pinned: serial }),
    ...follow,
    log: options.log,
  });
  return {
    driver: new PolledDriver(reader, options),
    ...(reader.traps === undefined ? {} : { traps: reader.traps }),
  };
}
