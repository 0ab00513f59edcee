/** Text as lines of a manual page (roff with the macros of man(7)). */

export interface PageHead {
  readonly name: string;
  readonly section: 1 | 5;
  readonly date: Date;
  readonly version: string;
}

const widthMax = 78;

export function pageHead({ name, section, date, version }: PageHead): string {
  const day = date.toISOString().slice(0, 10);
  return [
    '.\\" Made from the command lines and settings that the programs use. Do not edit.',
    `.TH ${name.toUpperCase().replaceAll(' ', '\\-')} ${section} ${day} "pghoard ${version}" "pghoard"`,
    '.nh',
    '.ad l',
  ].join('\n');
}

/** A page, or a part of one. Right after a heading a paragraph needs no macro. */
export function page(parts: readonly string[]): string {
  return parts
    .filter((part) => part !== '')
    .join('\n')
    .replaceAll(/^(?<heading>\.S[HS] .*\n)\.PP\n/gm, '$<heading>');
}

export function heading(title: string): string {
  return `.SH ${quoted(title.toUpperCase())}`;
}

export function subheading(title: string): string {
  return `.SS ${quoted(title)}`;
}

/** Prose, wrapped. Code in `backquotes` becomes bold, what is *stressed* italic. */
export function paragraph(markdown: string): string {
  return `.PP\n${wrapped(inline(markdown))}`;
}

export function bullet(markdown: string): string {
  return `.IP \\(bu 2\n${wrapped(inline(markdown))}`;
}

/** A term, as roff, and what it means. */
export function item(term: string, markdown: string): string {
  return `.TP\n${term}\n${wrapped(inline(markdown) || '\\&')}`;
}

/** Lines that stay as they are. */
export function literal(text: string): string {
  const lines = text.split('\n').map((line) => lineSafe(escaped(line)));
  return `.PP\n.nf\n.RS 4\n${lines.join('\n')}\n.RE\n.fi`;
}

export function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

/** Characters that roff would read as something else. Hyphens and quotes are kept such that they can be copied into a shell. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\(rs')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
}

/** `[text](address)` becomes its text; an address without a page of its own is of no use in a terminal. */
function inline(markdown: string): string {
  const text = markdown.replaceAll(/\[(?<text>[^\]]+)\]\([^)]*\)/g, '$<text>');
  const parts = text.split(/(?<mark>`[^`]+`|\*[^*\s][^*]*\*)/);
  return parts.map((part) => (part.startsWith('`') && part.length > 2 ? bold(part.slice(1, -1)) : stressed(part))).join('');
}

function stressed(part: string): string {
  return /^\*[^*]+\*$/.test(part) ? italic(part.slice(1, -1)) : escaped(part);
}

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length >= widthMax) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map(lineSafe).join('\n');
}

/** A line that begins with a dot or a quote would be a request. */
function lineSafe(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

function quoted(text: string): string {
  return `"${escaped(text.replaceAll('`', '').replaceAll('"', ''))}"`;
}
