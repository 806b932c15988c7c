/**
 * Generates `schemas/types.ts` from the JSON Schemas. Run with `npm run schemas`; a test keeps the committed file
 * current.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

const FOLDERS = ['wire', 'documents', 'methods', 'replies'];

/** The type name of each schema file, by the id that other schemas use in references. */
function titles(): Map<string, string> {
  const found = FOLDERS.flatMap((folder) => {
    const base = new URL(`./${folder}/`, import.meta.url);
    return readdirSync(base).map((file) => {
      const { $id, title } = JSON.parse(readFileSync(new URL(file, base), 'utf8')) as Record<string, string>;
      return [$id ?? file, title ?? file] as const;
    });
  });
  return new Map(found);
}

/** A schema whose references to other files are replaced by type names, because all types are in one file. */
function withTypeNames(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => withTypeNames(one, names));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref } = value as { $ref?: string };
  if ($ref !== undefined && !$ref.startsWith('#')) return { tsType: names.get($ref) };
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withTypeNames(one, names)]));
}

/** Splits generated text into declarations, each with its comment. */
function declarations(text: string): string[] {
  return text.split(/(?<=^\}\n|^export .*(?:\{\}|;)\n)/m);
}

/** The types of parameters and replies by method. */
function methodTypes(): string {
  const list = (folder: string) => {
    const base = new URL(`./${folder}/`, import.meta.url);
    const lines = readdirSync(base)
      .sort()
      .map((file) => {
        const { title } = JSON.parse(readFileSync(new URL(file, base), 'utf8')) as { title: string };
        return `  '${file.slice(0, -'.json'.length)}': ${title};\n`;
      });
    return lines.join('');
  };
  return (
    `/**\n * Request method to the type of its parameters.\n */\nexport interface MethodParams {\n${list('methods')}}\n` +
    `/**\n * Request method to the type of the data of its reply.\n */\nexport interface MethodReplies {\n${list('replies')}}\n`
  );
}

/** The text of `schemas/types.ts` for the present schemas. */
export async function generateTypes(): Promise<string> {
  let text = '// Generated from the JSON Schemas beside it by `npm run schemas`. Do not edit.\n';
  const seen = new Set<string>();
  const names = titles();
  for (const folder of FOLDERS) {
    const base = new URL(`./${folder}/`, import.meta.url);
    for (const file of readdirSync(base).sort()) {
      const schema = JSON.parse(readFileSync(new URL(file, base), 'utf8')) as JSONSchema & { title: string };
      const compiled = await compile(withTypeNames(schema, names) as JSONSchema, schema.title, {
        additionalProperties: false,
        bannerComment: '',
        ignoreMinAndMaxItems: true,
        style: { singleQuote: true, printWidth: 110 },
      });
      // A definition used by several schemas is generated once for each; one declaration is enough.
      for (const declaration of declarations(compiled)) {
        if (!seen.has(declaration)) text += declaration;
        seen.add(declaration);
      }
    }
  }
  return `${text}${methodTypes()}`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('./types.ts', import.meta.url), await generateTypes());
}
