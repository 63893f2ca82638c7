import { outputs } from '../../src/control/outputs.ts';

const intro = `# What \`--json\` prints

Each command whose result is data takes \`--json\`, and prints on standard output what stands here, in TypeScript's
words. With \`--json\`, an error is \`{"code", "message"}\` on standard error, and exits with 1; [errors.md](errors.md) lists
the codes. Fields may be added later, so ignore those that you do not know; none goes, and none changes its type, while
the first number of the version stays. \`weavets ps --watch --json\` prints the whole again whenever it has changed.
\`completion\`, \`dns-args\`, \`help\` and \`install-service\` print texts for other programs, and take no \`--json\`.
`;

/** docs/json.md */
export function jsonPage(): string {
  const parts = Object.entries(outputs).map(
    ([name, schema]) => `\n## weavets ${name}\n\n\`\`\`ts\n${shape(schema, '')}\n\`\`\`\n`,
  );
  return `${intro}${parts.join('')}`;
}

/** What of valibot's schemas is read here. */
interface Schema {
  type: string;
  entries?: Record<string, Schema>;
  item?: Schema;
  value?: Schema;
  wrapped?: Schema;
  options?: readonly string[];
}

/** A schema as a type of TypeScript. */
function shape(schema: unknown, indent: string): string {
  const { type, entries, item, value, wrapped, options } = schema as Schema;
  switch (type) {
    case 'object':
      return object(entries ?? {}, indent);
    case 'array': {
      const of = shape(item, indent);
      return of.includes(' | ') && !of.includes('{') ? `(${of})[]` : `${of}[]`;
    }
    case 'record':
      return `{ [name: string]: ${shape(value, indent)} }`;
    case 'nullable':
      return `${shape(wrapped, indent)} | null`;
    case 'picklist':
      return (options ?? []).map((option) => `'${option}'`).join(' | ');
    case 'string':
    case 'number':
    case 'boolean':
      return type;
    default:
      throw new Error(`docs/json.md can't show a ${type}; teach scripts/docs/json-page.ts`);
  }
}

function object(entries: Record<string, Schema>, indent: string): string {
  const deeper = `${indent}  `;
  const fields = Object.entries(entries).map(([name, field]) => {
    const isOptional = field.type === 'optional';
    return `${deeper}${name}${isOptional ? '?' : ''}: ${shape(isOptional ? field.wrapped : field, deeper)}\n`;
  });
  return fields.length === 0 ? '{}' : `{\n${fields.join('')}${indent}}`;
}
