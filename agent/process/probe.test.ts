import { BIZHUB, JAM, startSnmpPrinter, V3_USER } from '../../tests/far-sides/snmpd.ts';
import { MappingTables } from '../mapping/tables.ts';
import { openProbe } from './probe.ts';

const mapping = new MappingTables();

test('where one of two protocols is off the other one is shown, with the reason of the first', async () => {
  const printer = await startSnmpPrinter({ mib: { ...BIZHUB, ...JAM } });
  const dead = 'ipp://127.0.0.1:1/ipp/print';
  const probe = openProbe(
    {
      printer: 'p',
      urls: [dead, `snmp://127.0.0.1:${printer.port}`],
      snmp: { version: '3', ...V3_USER },
    },
    mapping,
  );
  try {
    const { reading, failures } = await probe.readEach();
    expect(reading?.structure.apparatus.serial).toBe('A9KEKM0001234');
    expect(reading?.conditions).toEqual([expect.objectContaining({ code: 'J-7218' })]);
    expect(failures).toEqual([{ url: dead, error: expect.objectContaining({ code: 'ECONNREFUSED' }) }]);
    expect(probe.raw()).toContain('A9KEKM0001234');
    // A reading that goes into the configuration must be complete.
    await expect(probe.read()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  } finally {
    await probe.close();
    await printer.stop();
  }
});
