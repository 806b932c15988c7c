// A real OpenID provider (oidc-provider) for tests, as a process: it prints its address and exits when stdin ends. It
// accepts any login name. PUT /people/{name} sets a person's claims; default {}.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [redirectUri, homeUri] = process.argv.slice(2);
const people = new Map();
let provider;

const server = createServer(async (request, response) => {
  if (request.method !== 'PUT' || !request.url.startsWith('/people/')) {
    provider(request, response);
    return;
  }
  let text = '';
  for await (const chunk of request) text += chunk;
  people.set(decodeURIComponent(request.url.slice('/people/'.length)), JSON.parse(text));
  response.end();
});

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const oidc = new Provider(issuer, {
    clients: [
      {
        client_id: 'platen',
        client_secret: 'between us',
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [homeUri],
      },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'groups'],
    pkce: { required: () => true },
    features: { rpInitiatedLogout: { enabled: true } },
    cookies: { keys: ['of a test'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, ...people.get(id) }),
    }),
  });
  provider = oidc.callback();
  process.stdout.write(`${issuer}\n`);
});

process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
