import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import type { OperatorClient } from '../cli/operator-client.ts';
import { Browser, type Visit } from './harness/browser.ts';
import { eventually } from './harness/ear.ts';
import { freePort } from './harness/ports.ts';
import { type RunningProduct, startProduct } from './harness/product.ts';
import { EventReader, Web } from './harness/web.ts';

// A real product and a real OpenID provider: people sign in there, and their claims decide their role here.
const PROVIDER = fileURLToPath(new URL('./far-sides/oidc-provider.mjs', import.meta.url));

let provider: ChildProcess;
let issuer: string;
let product: RunningProduct;
let admin: OperatorClient;
let web: Web;
let home: string;

/** Sets the claims of a person at the provider. */
async function claim(name: string, claims: object): Promise<void> {
  const answer = await fetch(`${issuer}/people/${name}`, { method: 'PUT', body: JSON.stringify(claims) });
  expect(answer.status).toBe(200);
}

const toCallback = (url: URL) => url.pathname === '/api/v1/oidc/callback';

/** Goes to the provider and signs in there; stops before the callback. */
async function atProvider(browser: Browser, name: string, path = '/api/v1/oidc/login'): Promise<Visit> {
  const begun = await browser.visit(new URL(path, web.base));
  let now = await browser.follow(begun, toCallback);
  for (const prompt of ['login', 'consent']) {
    if (now.next) break;
    const action = /action="([^"]+)"/.exec(now.text)?.[1];
    if (action === undefined) throw new Error(`no form: ${now.code} ${now.text.slice(0, 500)}`);
    const form = { prompt, login: name, password: 'any' };
    now = await browser.follow(await browser.visit(new URL(action, now.url), form), toCallback);
  }
  return now;
}

/** Signs in. @returns the callback's response, and a caller with the session cookie */
async function signIn(
  name: string,
  browser = new Browser(),
): Promise<{ visit: Visit; as: Web; error?: string }> {
  const { next } = await atProvider(browser, name);
  if (!next) throw new Error('the provider did not send the browser back');
  const visit = await browser.visit(next);
  const as = web.with({ cookie: browser.cookieOf(web.base), origin: web.base });
  const json = visit.headers.get('content-type')?.startsWith('application/json');
  return { visit, as, ...(json ? { error: JSON.parse(visit.text).error.code as string } : {}) };
}

beforeAll(async () => {
  const port = await freePort();
  home = `http://127.0.0.1:${port}/`;
  provider = spawn(process.execPath, [PROVIDER, `${home}api/v1/oidc/callback`, home], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: provider.stdout as NodeJS.ReadableStream });
  [issuer] = (await once(lines, 'line')) as [string];
  product = await startProduct({
    env: {
      PLATEN_HTTP_PORT: String(port),
      PLATEN_PUBLIC_URL: home,
      PLATEN_OIDC_ISSUER: issuer,
      PLATEN_OIDC_CLIENT: 'platen',
      PLATEN_OIDC_SECRET: 'between us',
      PLATEN_OIDC_SCOPE: 'openid profile groups',
      PLATEN_OIDC_ROLES: 'owners=admin,technicians=operator,guests=viewer',
    },
  });
  admin = await product.operator();
  web = new Web(product.http);
});

afterAll(async () => {
  expect(await product?.stop()).toBe(0);
  const gone = once(provider, 'exit');
  provider.stdin?.end();
  await gone;
});

test('somebody signs in at the provider and has the role of their group, in a session like any other', async () => {
  await claim('lena', { groups: ['staff', 'technicians', 'guests'] });
  const browser = new Browser();
  const { visit, as } = await signIn('lena', browser);
  expect(visit.code).toBe(200);
  const cookies = visit.headers.getSetCookie();
  const session = cookies.find((cookie) => cookie.startsWith('platen='));
  for (const mark of ['HttpOnly', 'SameSite=Strict', 'Path=/']) expect(session).toContain(mark);
  expect(visit.text).toContain('content="0;url=/"');
  const { body } = await as.send('GET', '/api/v1/session');
  expect(body.data).toMatchObject({ name: 'lena', role: 'operator', how: 'oidc' });
  expect((await as.call('printers.list')).code).toBe(200);
  expect((await as.call('users.list')).body.error.code).toBe('request/not-allowed');
  // Another origin cannot change anything with the cookie.
  const foreign = web.with({ cookie: browser.cookieOf(web.base), origin: 'http://evil.example' });
  expect((await foreign.call('tokens.create', { name: 'x' })).body.error.code).toBe('session/foreign-origin');
  const audit = JSON.stringify(await admin.call('audit.list', { actor: 'openid-connect' }));
  expect(audit).toContain('"name":"lena","role":"operator"');
  // The account has no password.
  const password = await web.send('POST', '/api/v1/session', { username: 'lena', password: '' });
  expect(password.body.error.code).toBe('session/wrong-password');
});

test('the way to the provider has a challenge, a state and a nonce of its own, and goes on only to a page of here', async () => {
  const browser = new Browser();
  const [first, second] = [
    await browser.visit(`${home}api/v1/oidc/login?to=/printers`),
    await browser.visit(`${home}api/v1/oidc/login`),
  ];
  const parameters = (visit: Visit) => Object.fromEntries(visit.next?.searchParams ?? []);
  expect(parameters(first)).toMatchObject({
    response_type: 'code',
    client_id: 'platen',
    code_challenge_method: 'S256',
    redirect_uri: `${home}api/v1/oidc/callback`,
  });
  for (const name of ['code_challenge', 'state', 'nonce']) {
    expect(parameters(first)[name]).toMatch(/^[\w-]{40,}$/);
    expect(parameters(first)[name]).not.toBe(parameters(second)[name]);
  }
  expect(first.headers.getSetCookie()[0]).toMatch(/HttpOnly.*SameSite=Lax/);
  for (const to of ['//evil.example', '/\\evil.example', 'http://evil.example', '/"><script>', '/a\nb']) {
    const answer = await web.send('GET', `/api/v1/oidc/login?to=${encodeURIComponent(to)}`);
    expect([to, answer.code]).toEqual([to, 400]);
  }
  await claim('paul', { groups: ['guests'] });
  const { next } = await atProvider(browser, 'paul', '/api/v1/oidc/login?to=/printers?x=1%26y=2');
  expect((await browser.visit(next ?? '')).text).toContain('content="0;url=/printers?x=1&amp;y=2"');
});

test('an answer that does not fit what was begun signs nobody in, and one that was used signs nobody in again', async () => {
  await claim('rosa', { groups: ['owners'] });
  const refused = async (browser: Browser, url: URL | undefined) => {
    const visit = await browser.visit(url ?? '');
    const cookies = visit.headers.getSetCookie().filter((cookie) => /^platen=./.test(cookie));
    return [visit.code, JSON.parse(visit.text).error.code, cookies];
  };
  const no = [401, 'oidc/refused', []];
  // A link from another person's sign-in, opened in a browser that began no sign-in, and in one that began its own.
  const attacker = await atProvider(new Browser(), 'rosa');
  expect(await refused(new Browser(), attacker.next)).toEqual(no);
  const victim = new Browser();
  await victim.visit(`${home}api/v1/oidc/login`);
  expect(await refused(victim, attacker.next)).toEqual(no);
  const wrongState = new Browser();
  const { next } = await atProvider(wrongState, 'rosa');
  next?.searchParams.set('state', 'x'.repeat(43));
  expect(await refused(wrongState, next)).toEqual(no);
  const twice = new Browser();
  const back = await atProvider(twice, 'rosa');
  const flow = twice.cookies.get(new URL(home).host)?.get('platen-oidc') ?? '';
  expect((await twice.visit(back.next ?? '')).code).toBe(200);
  expect(await refused(twice, back.next)).toEqual(no);
  twice.cookies.get(new URL(home).host)?.set('platen-oidc', flow);
  expect(await refused(twice, back.next)).toEqual(no);
  const denied = new Browser();
  const begun = await denied.visit(`${home}api/v1/oidc/login`);
  const state = begun.next?.searchParams.get('state') ?? '';
  const error = new URL(`${home}api/v1/oidc/callback?error=access_denied&state=${state}&iss=${issuer}`);
  expect(await refused(denied, error)).toEqual(no);
});

test('whoever has no role, or the name of another account, gets no session', async () => {
  await claim('nobody', { groups: ['staff'] });
  expect(await signIn('nobody')).toMatchObject({ error: 'oidc/no-role', visit: { code: 403 } });
  await claim('nothing', {});
  expect((await signIn('nothing')).error).toBe('oidc/no-role');
  await claim('sub-of-mallory', { preferred_username: 'admin', groups: ['owners'] });
  expect(await signIn('sub-of-mallory')).toMatchObject({ error: 'oidc/name-taken', visit: { code: 409 } });
  await admin.call('printers.enroll', { printers: ['office-7'] });
  await claim('sub-of-a-printer', { preferred_username: 'office-7', groups: ['owners'] });
  expect((await signIn('sub-of-a-printer')).error).toBe('oidc/name-taken');
  await claim('sub-without-name', { preferred_username: '!!', groups: ['owners'] });
  expect((await signIn('sub-without-name')).error).toBe('oidc/refused');
  // An account belongs to the person (`sub`), not to the name in the claims.
  await claim('sub-4711', { preferred_username: 'mia', groups: ['guests'] });
  await signIn('sub-4711');
  await claim('sub-4712', { preferred_username: 'mia', groups: ['owners'] });
  expect((await signIn('sub-4712')).error).toBe('oidc/name-taken');
  await claim('sub-4711', { preferred_username: 'mia-married', groups: ['technicians'] });
  const { as } = await signIn('sub-4711');
  expect((await as.send('GET', '/api/v1/session')).body.data).toMatchObject({
    name: 'mia',
    role: 'operator',
  });
});

test('whoever is removed is out at once: sessions, tokens, streams and MQTT, and does not come back in', async () => {
  await claim('leaver', { groups: ['owners'] });
  const { as } = await signIn('leaver');
  const { token } = (await as.call('tokens.create', { name: 'left behind' })).body.data;
  const program = web.with({ token });
  const { password } = await admin.call('users.put', { name: 'leaver', role: 'admin', newPassword: true });
  // A new password ends sessions.
  expect((await as.call('fleet.summary')).code).toBe(401);
  const again = await signIn('leaver');
  const connection = await mqtt.connectAsync(product.mqtt, {
    username: 'leaver',
    password: String(password),
    reconnectPeriod: 0,
  });
  const events = new EventReader(again.as, '/api/v1/events');
  await events.opened;
  await admin.call('users.remove', { name: 'leaver' });
  const began = performance.now();
  expect((await again.as.call('fleet.summary')).code).toBe(401);
  expect((await program.call('fleet.summary')).code).toBe(401);
  await eventually(() => !connection.connected && events.ended, 'connection and stream of the leaver ended');
  expect(performance.now() - began).toBeLessThan(20_000);
  await connection.endAsync(true);
  expect(await signIn('leaver')).toMatchObject({ error: 'oidc/removed', visit: { code: 403 } });
  await admin.call('users.put', { name: 'leaver', role: 'viewer' });
  const back = await signIn('leaver');
  // The role comes from the claims.
  expect((await back.as.send('GET', '/api/v1/session')).body.data).toMatchObject({ role: 'admin' });
  expect((await program.call('fleet.summary')).code).toBe(401);
});

test('a claim that gives no role any more ends what there is, and one that gives it again lets in again', async () => {
  await claim('tom', { groups: ['owners'] });
  const { as } = await signIn('tom');
  const { token } = (await as.call('tokens.create', { name: 'script' })).body.data;
  await claim('tom', { groups: [] });
  expect((await signIn('tom')).error).toBe('oidc/no-role');
  expect((await as.call('fleet.summary')).code).toBe(401);
  expect((await web.with({ token }).call('fleet.summary')).code).toBe(401);
  await claim('tom', { groups: ['guests'] });
  const back = await signIn('tom');
  expect((await back.as.send('GET', '/api/v1/session')).body.data).toMatchObject({
    name: 'tom',
    role: 'viewer',
  });
  expect((await web.with({ token }).call('fleet.summary')).code).toBe(401);
});

test('signing out ends the session here and says where to sign out at the provider', async () => {
  await claim('ines', { groups: ['guests'] });
  const { as } = await signIn('ines');
  const out = await as.send('DELETE', '/api/v1/session');
  expect(out.code).toBe(200);
  const end = new URL(out.body.data.endSession);
  expect([end.origin, end.searchParams.get('post_logout_redirect_uri')]).toEqual([issuer, home]);
  expect((await fetch(end)).status).toBe(200);
  expect((await as.send('GET', '/api/v1/session')).code).toBe(401);
});
