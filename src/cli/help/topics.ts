import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../lib/package-root.ts';

/** What `help` explains beside the commands, each with the page of the documentation that it shows. */
export const topics: Readonly<Record<string, string>> = {
  addresses: 'docs/topics/addresses.md',
  dns: 'docs/topics/dns.md',
  hosts: 'docs/topics/hosts.md',
  proxy: 'docs/topics/proxy.md',
  environment: 'docs/topics/environment.md',
  service: 'docs/topics/service.md',
  errors: 'docs/errors.md',
};

/** A piece of a page. Text keeps its backticks; links are only their words. */
export type Block =
  | { kind: 'heading' | 'text' | 'code'; text: string }
  /** without its header */
  | { kind: 'table'; rows: string[][] };

/** The page of a topic, in its pieces. */
export async function readTopic(topic: string): Promise<Block[]> {
  const text = await readFile(join(packageRoot, topics[topic] ?? ''), 'utf8');
  return text
    .trimEnd()
    .split(/\n{2,}/)
    .map(toBlock);
}

function toBlock(text: string): Block {
  const plain = text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1');
  if (plain.startsWith('#')) return { kind: 'heading', text: plain.replace(/^#+ /, '') };
  if (plain.startsWith('    ')) return { kind: 'code', text: plain.replaceAll(/^ {4}/gm, '') };
  if (!plain.startsWith('|')) return { kind: 'text', text: plain };
  const [, , ...rows] = plain.split('\n');
  return {
    kind: 'table',
    rows: rows.map((row) =>
      row
        .slice(1, -1)
        .split(' | ')
        .map((cell) => cell.trim()),
    ),
  };
}

/** A page for the terminal. */
export function plainText(blocks: readonly Block[]): string {
  return blocks.map(blockText).join('\n\n');
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return block.text.toUpperCase();
    case 'code':
      return block.text.replaceAll(/^/gm, '    ');
    case 'text':
      return block.text;
    case 'table':
      return block.rows.map(([first = '', ...rest]) => [first, ...rest].join('\n    ')).join('\n');
  }
}
