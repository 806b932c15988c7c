import { nameOfClaims, parseRoleRules, roleOfClaims } from './oidc-roles.ts';

test.each([
  [{ groups: ['guests', 'owners'] }, 'groups', 'admin'],
  [{ groups: 'guests' }, 'groups', 'viewer'],
  // A value may contain the `=` that separates it from the role.
  [{ groups: ['dc=x'] }, 'groups', 'operator'],
  [{ groups: ['owner', 'Owners', 'guests '] }, 'groups', undefined],
  [{ groups: [['owners']] }, 'groups', undefined],
  [{ groups: { owners: true } }, 'groups', undefined],
  [{}, 'groups', undefined],
  [{ realm_access: { roles: ['owners'] } }, 'realm_access.roles', 'admin'],
  [{ 'https://x.example/roles': ['owners'] }, 'https://x.example/roles', 'admin'],
  [{ groups: ['owners'] }, 'constructor', undefined],
] as const)('claims %j with rules %s give the role %s', (claims, path, role) => {
  const list = parseRoleRules('owners=admin,dc=x=operator,guests=viewer');
  expect(roleOfClaims(claims, path, list)).toBe(role);
});

test('"*" gives everybody whom the provider admits a role', () => {
  expect(roleOfClaims({}, 'groups', parseRoleRules('*=viewer'))).toBe('viewer');
  expect(() => parseRoleRules('cn=staff')).toThrow('"staff" is none of the roles');
});

test.each([
  ['lena', 'lena'],
  ['lena@office.example', 'lena-office.example'],
  ['DOMAIN\\lena', 'DOMAIN-lena'],
  ['…-lena', 'lena'],
  ['x'.repeat(80), 'x'.repeat(64)],
])('the claimed name %s becomes the account name %s', (said, name) =>
  expect(nameOfClaims({ name: said }, 'name')).toBe(name),
);

test.each([[''], ['!!'], [4711], [undefined]])('%j is not accepted as a name', (name) => {
  expect(() => nameOfClaims({ name }, 'name')).toThrow(expect.objectContaining({ code: 'oidc/refused' }));
});
