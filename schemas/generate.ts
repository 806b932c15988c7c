/**
 * Writes `schemas/types.ts` from the JSON Schemas, which are the source. Run with `npm run schemas`; a test keeps
 * the committed file current.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

const FOLDERS = ['wire', 'documents', 'methods'];

/** Cuts generated text into declarations, each with the comment above it. */
function declarations(text: string): string[] {
  return text.split(/(?<=^\}\n|^export .*(?:\{\}|;)\n)/m);
}

/** The text of `schemas/types.ts` as the schemas have it now. */
export async function generateTypes(): Promise<string> {
  let text = '// Generated from the JSON Schemas beside it by `npm run schemas`. Do not edit.\n';
  const seen = new Set<string>();
  for (const folder of FOLDERS) {
    const base = new URL(`./${folder}/`, import.meta.url);
    for (const file of readdirSync(base).sort()) {
      const schema = JSON.parse(readFileSync(new URL(file, base), 'utf8')) as JSONSchema & { title: string };
      const compiled = await compile(schema, schema.title, {
        additionalProperties: false,
        bannerComment: '',
        ignoreMinAndMaxItems: true,
        style: { singleQuote: true, printWidth: 110 },
      });
      // A definition that several schemas hold comes out once for each; one declaration is enough.
      for (const declaration of declarations(compiled)) {
        if (!seen.has(declaration)) text += declaration;
        seen.add(declaration);
      }
    }
  }
  return text;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('./types.ts', import.meta.url), await generateTypes());
}
