import { isLoopback, oidcSettings, readSettings } from './settings.ts';

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
])('%s is refused as an unknown setting', (name, value, message) => {
  expect(() => readSettings({}, { [name]: value })).toThrow(
    expect.objectContaining({ code: 'setting/unknown', message: expect.stringContaining(message) }),
  );
});

test('variables of a Kubernetes service called platen, and empty ones, are ignored', () => {
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

const OIDC = {
  PLATEN_OIDC_ISSUER: 'https://login.example/realms/office',
  PLATEN_OIDC_CLIENT: 'platen',
  PLATEN_OIDC_ROLES: 'owners=admin, *=viewer',
  PLATEN_PUBLIC_URL: 'https://platen.example',
};

test('OpenID Connect can be configured completely', () => {
  expect(oidcSettings(readSettings({}, OIDC))).toMatchObject({
    redirectUri: 'https://platen.example/api/v1/oidc/callback',
    roleClaim: 'groups',
    roles: [
      { value: 'owners', role: 'admin' },
      { value: '*', role: 'viewer' },
    ],
  });
  expect(oidcSettings(readSettings({}, {}))).toBeUndefined();
});

test.each([
  [{ PLATEN_OIDC_CLIENT: '' }, 'PLATEN_OIDC_ISSUER'],
  [{ PLATEN_OIDC_ROLES: '' }, 'PLATEN_OIDC_ISSUER'],
  [{ PLATEN_PUBLIC_URL: '' }, 'PLATEN_OIDC_ISSUER'],
  [{ PLATEN_OIDC_ISSUER: '' }, 'PLATEN_OIDC_CLIENT'],
  [{ PLATEN_OIDC_ISSUER: 'http://login.example' }, 'PLATEN_OIDC_ISSUER'],
  [{ PLATEN_OIDC_ISSUER: 'ftp://login.example' }, 'PLATEN_OIDC_ISSUER'],
  [{ PLATEN_OIDC_ROLES: 'owners' }, 'PLATEN_OIDC_ROLES'],
  [{ PLATEN_OIDC_ROLES: 'owners=king' }, 'PLATEN_OIDC_ROLES'],
  [{ PLATEN_OIDC_ROLES: 'owners=printer' }, 'PLATEN_OIDC_ROLES'],
  [{ PLATEN_OIDC_SCOPE: 'profile' }, 'PLATEN_OIDC_SCOPE'],
])('an incomplete OpenID Connect configuration (%j) is an error that names %s', (change, name) => {
  expect(() => readSettings({}, { ...OIDC, ...change })).toThrow(
    expect.objectContaining({ code: 'setting/invalid', message: expect.stringContaining(name) }),
  );
});
