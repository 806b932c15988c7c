import { type RunningProduct, startProduct } from './harness/product.ts';
import { Web } from './harness/web.ts';

// A product behind a TLS proxy, with a token for metrics and a separate port for the repository.
let product: RunningProduct;
let web: Web;

beforeAll(async () => {
  product = await startProduct({
    env: {
      PLATEN_PUBLIC_URL: 'https://platen.example/',
      PLATEN_HTTP_PROXY: '127.0.0.1',
      PLATEN_METRICS: 'token',
      PLATEN_REPOSITORY: '0',
    },
  });
  web = new Web(product.http);
});

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
});

test('under TLS the cookie is Secure, of this host alone, and taken from pages of the public address', async () => {
  const origin = 'https://platen.example';
  const { username, password } = product.admin;
  const signIn = await web.with({ origin }).send('POST', '/api/v1/session', { username, password });
  const cookie = signIn.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^__Host-platen=/);
  for (const mark of ['Secure', 'HttpOnly', 'SameSite=Strict', 'Path=/']) expect(cookie).toContain(mark);
  expect(cookie).not.toContain('Domain');
  expect(signIn.headers.get('strict-transport-security')).toMatch(/max-age=\d+/);
  const [pair = ''] = cookie.split(';');
  expect((await web.with({ cookie: pair, origin }).call('fleet.summary')).code).toBe(200);
  const foreign = await web.with({ cookie: pair, origin: 'https://evil.example' }).call('fleet.summary');
  expect(foreign.body.error.code).toBe('session/foreign-origin');
});

test('behind a proxy whoever tries passwords is kept out alone, not everybody who comes through it', async () => {
  const admin = await product.operator();
  await admin.call('users.put', { name: 'mia', role: 'viewer', password: 'chosen by a person' });
  const signIn = async (from: string, password: string) => {
    const answer = await web
      .with({ headers: { 'x-forwarded-for': from } })
      .send('POST', '/api/v1/session', { username: 'mia', password });
    return answer.code;
  };
  await Promise.all(Array.from({ length: 14 }, () => signIn('192.0.2.1', 'wrong')));
  expect(await signIn('192.0.2.1', 'chosen by a person')).toBe(429);
  // Addresses before the one that the proxy appended may be forged by the caller.
  expect(await signIn('198.51.100.7, 192.0.2.1', 'chosen by a person')).toBe(429);
  expect(await signIn('192.0.2.2', 'chosen by a person')).toBe(200);
});

test('metrics are for holders of a token, and the repository is on its own port only', async () => {
  const stranger = await web.send('GET', '/metrics');
  expect([stranger.code, stranger.body.error.code]).toEqual([401, 'session/none']);
  const admin = await product.operator();
  const { token } = await admin.call('tokens.create', { name: 'prometheus' });
  const scraped = await web.with({ token: String(token) }).send('GET', '/metrics');
  expect([scraped.code, scraped.text.includes('platen_printers{')]).toEqual([200, true]);

  const metadata = '/repository/metadata/1.root.json';
  expect((await web.send('GET', metadata)).code).toBe(404);
  const apart = product.log.find(({ msg }) => msg === 'repository on a port of its own');
  const other = new Web(String(apart?.['address']));
  expect((await other.send('GET', metadata)).code).toBe(200);
  expect((await other.send('GET', '/metrics')).code).toBe(404);
  const { port } = new URL(other.base);
  const ready = product.log.find(({ msg }) => msg?.startsWith('ready'));
  expect(JSON.stringify(ready)).toContain(`https://platen.example:${port}/repository/`);
});

test.each(['/metrics', '/%6detrics', '//metrics', '/metrics/', '/metrics?x=1', '/METRICS'])(
  '%s does not lead around the token',
  async (path) => {
    const { code, text } = await web.send('GET', path);
    expect([401, 404]).toContain(code);
    expect(text).not.toContain('platen_printers');
  },
);
