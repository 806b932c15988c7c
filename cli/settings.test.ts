import { isLoopback, readSettings } from './settings.ts';

test('a flag wins over the environment, the environment over the default', () => {
  expect(readSettings({}, {}).mqttPort).toBe(1883);
  expect(readSettings({}, { PLATEN_MQTT_PORT: '2000' }).mqttPort).toBe(2000);
  expect(readSettings({ mqttPort: '3000' }, { PLATEN_MQTT_PORT: '2000' }).mqttPort).toBe(3000);
});

test.each([
  ['PLATEN_MQTT_PORT', '70000'],
  ['PLATEN_MQTT_PORT', 'x'],
  ['PLATEN_HTTP_PORT', '-1'],
  ['PLATEN_DEMO', '1.5'],
  ['PLATEN_DATABASE_URL', 'mysql://localhost/x'],
  ['PLATEN_REDIS_URL', 'nonsense'],
  ['PLATEN_ACCESS', 'ajar'],
  ['PLATEN_LOG', 'xml'],
  ['PLATEN_LOG_LEVEL', 'loud'],
])('a wrong %s (%s) is an error that names it', (name, value) => {
  expect(() => readSettings({}, { [name]: value })).toThrow(
    expect.objectContaining({ code: 'setting/invalid', message: expect.stringContaining(name) }),
  );
});

test.each([
  ['PLATEN_MQTT_PROT', '2000', 'There is no setting "PLATEN_MQTT_PROT"; did you mean "PLATEN_MQTT_PORT"'],
  ['PLATEN_RETENTION', '30', 'There is no setting "PLATEN_RETENTION"'],
  ['PLATEN_PORT', '2000', 'There is no setting "PLATEN_PORT"'],
])('%s, which is no setting, is refused', (name, value, message) => {
  expect(() => readSettings({}, { [name]: value })).toThrow(
    expect.objectContaining({ code: 'setting/unknown', message: expect.stringContaining(message) }),
  );
});

test('what Kubernetes says of a service called platen, and what is empty, is no setting', () => {
  const env = {
    PLATEN_SERVICE_HOST: '10.0.0.1',
    PLATEN_SERVICE_PORT: '1883',
    PLATEN_SERVICE_PORT_MQTT: '1883',
    PLATEN_PORT: 'tcp://10.0.0.1:1883',
    PLATEN_PORT_1883_TCP: 'tcp://10.0.0.1:1883',
    PLATEN_PORT_1883_TCP_ADDR: '10.0.0.1',
    PLATEN_MQTT_PROT: '',
    PLATEN_MQTT_PORT: '2000',
  };
  expect(readSettings({}, env).mqttPort).toBe(2000);
});

test('open access is refused as soon as a listener is not on loopback', () => {
  expect(readSettings({}, { PLATEN_ACCESS: 'open' }).access).toBe('open');
  expect(() => readSettings({ host: '0.0.0.0' }, { PLATEN_ACCESS: 'open' })).toThrow(
    expect.objectContaining({ code: 'setting/open-access' }),
  );
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.example.org', false],
])('%s on loopback: %s', (host, loopback) => expect(isLoopback(host)).toBe(loopback));
