import { bold, bullet, escaped, heading, italic, item, literal, paragraph, subheading } from './roff.ts';

/**
 * The Markdown of our own reference as the body of a manual page: headings, paragraphs, lists, tables and code.
 * A row of a table becomes an item: its first cell is the term, its last one the text, those between stand beside the term.
 */
export function markdownToRoff(markdown: string): string {
  return blocksOf(markdown).map(blockToRoff).join('\n');
}

/** Blocks are parted by empty lines; code keeps the empty lines in it. */
function blocksOf(markdown: string): string[] {
  const withoutComments = markdown.replaceAll(/<!--[^]*?-->/g, '');
  return withoutComments
    .split(/(?<code>^```[^]*?^```$)/m)
    .flatMap((part) => (part.startsWith('```') ? [part] : part.split(/\n{2,}/)))
    .map((block) => block.trim())
    .filter((block) => block !== '');
}

function blockToRoff(block: string): string {
  const lines = block.split('\n');
  const [first = ''] = lines;
  if (first.startsWith('```')) return literal(lines.slice(1, -1).join('\n'));
  if (first.startsWith('## ')) return heading(first.slice(3));
  if (first.startsWith('### ')) return subheading(first.slice(4));
  if (first.startsWith('|')) return table(lines);
  if (first.startsWith('- ')) return listItems(block).map(bullet).join('\n');
  return paragraph(lines.join(' '));
}

/** A list item may go on in lines that are indented. */
function listItems(block: string): string[] {
  return block
    .split(/^- /m)
    .filter((text) => text !== '')
    .map((text) => text.replaceAll(/\s+/g, ' ').trim());
}

function table([head = '', , ...rows]: readonly string[]): string {
  const names = cellsOf(head);
  return rows.map((row) => tableItem(names, cellsOf(row))).join('\n');
}

function tableItem(names: readonly string[], cells: readonly string[]): string {
  const [term = '', ...rest] = cells;
  const text = rest.pop() ?? '';
  const beside = rest.flatMap((cell, index) => remark(names[index + 1] ?? '', cell)).join(', ');
  return item(bold(plain(term)) + (beside === '' ? '' : ` ${escaped('(')}${beside})`), text);
}

/** A type tells itself; other cells need the name of their column. */
function remark(name: string, cell: string): string[] {
  if (cell === '') return [];
  return [name === 'Type' ? italic(plain(cell)) : escaped(`${name.toLowerCase()} ${plain(cell)}`)];
}

function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function plain(markdown: string): string {
  return markdown.replaceAll('`', '').replaceAll('**', '');
}
