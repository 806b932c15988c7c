/**
 * Generates docs/reference/operators.md from the roles and the schemas of the methods' parameters, so that the
 * reference always agrees with validation. Run with `npm run schemas`; a test keeps the committed file current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ERRORS } from './errors.ts';
import { METHOD_ROLES, type Method } from './roles.ts';

interface Property {
  type?: string;
  enum?: string[];
  description?: string;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
  items?: Property;
  properties?: Record<string, Property>;
  required?: string[];
  allOf?: { $ref?: string }[];
}

function typeOf(property: Property): string {
  if (property.enum) return property.enum.map((value) => `\`${value}\``).join(' \\| ');
  if (property.type === 'array') return `array of ${typeOf(property.items ?? {})}`;
  if (
    property.type === 'integer' &&
    property.maximum !== undefined &&
    property.maximum < Number.MAX_SAFE_INTEGER
  ) {
    return `integer ${property.minimum ?? 0}–${property.maximum}`;
  }
  if (property.type === 'object' && property.properties) {
    return `object: ${Object.keys(property.properties)
      .map((name) => `\`${name}\``)
      .join(', ')}`;
  }
  return property.type ?? 'any';
}

function readSchema(name: string): Property {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as Property;
}

/** The members of a reply, optional ones with a question mark. Some replies are a document of the wire contract. */
function membersOf({ properties, required = [], allOf }: Property): string[] {
  const [document] = allOf ?? [];
  if (document?.$ref !== undefined)
    return membersOf(readSchema(`wire/${document.$ref.replace('.json', '')}`));
  return Object.keys(properties ?? {}).map((name) => (required.includes(name) ? name : `${name}?`));
}

function section(method: Method): string {
  const schema = readSchema(`methods/${method}`);
  const properties = Object.entries(schema.properties ?? {});
  const rows = properties.map(([name, property]) => {
    const needed = schema.required?.includes(name) ? ' (required)' : '';
    return `| \`${name}\`${needed} | ${typeOf(property)} | ${property.description ?? ''} |`;
  });
  const table =
    rows.length === 0 ? 'No parameters.' : ['| parameter | | |', '| --- | --- | --- |', ...rows].join('\n');
  const { description, ...reply } = readSchema(`replies/${method}`);
  const members = membersOf(reply)
    .map((name) => `\`${name}\``)
    .join(', ');
  const replied = `Reply: ${members}.`;
  return `### \`${method}\`\n\n${description} Least role: ${METHOD_ROLES[method]}.\n\n${table}\n\n${replied}\n`;
}

/** The text of the reference for the present schemas and roles. */
export function operatorsReference(): string {
  const codes = Object.entries(ERRORS).map(
    ([code, { message, hint }]) => `| \`${code}\` | ${message} | ${hint} |`,
  );
  return `# Requests of operators

Written by \`npm run schemas\` from \`schemas/methods/\`, \`schemas/roles.ts\` and \`schemas/errors.ts\`.

Publish \`{"id":"…","params":{…}}\` to \`platen/v1/ops/{user}/request/{method}\`; exactly one reply comes on
\`platen/v1/ops/{user}/reply/{id}\`: \`{"id","status":"ok|accepted|error","data","error":{"code","message","hint"}}\`.
Lists take \`limit\` (default 100, at most 1,000) and \`cursor\`; their reply holds \`data.items\` and, where there is more,
\`data.next\`. Roles: a viewer reads, an operator also runs, an admin also owns catalog, rules, accounts and releases.
A payload that is no request is answered too: under its id where that can be read, else on
\`platen/v1/ops/{user}/reply/invalid\`. Nothing unknown is taken: a member that a method doesn't have is refused at every
depth, with its name, its place and the nearest right one. From a shell: \`platen request METHOD '{…}'\`.

## Methods

${(Object.keys(METHOD_ROLES) as Method[]).map(section).join('\n')}
## Error codes

Codes are stable and never reused.

| code | message | what to do |
| --- | --- | --- |
${codes.join('\n')}
`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('../docs/reference/operators.md', import.meta.url), operatorsReference());
}
