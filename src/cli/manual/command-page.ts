import type { CommandArgument, CommandLine, CommandOption } from './command-line.ts';
import { markdownToRoff } from './markdown-to-roff.ts';
import { moreAbout } from './more-about.ts';
import { bold, escaped, heading, italic, item, literal, page, pageHead, paragraph, subheading } from './roff.ts';

export interface Edition {
  readonly date: Date;
  readonly version: string;
}

/** The manual page of a command, with a part for each of its sub-commands. */
export function commandPage(command: CommandLine, edition: Edition, seeAlso: readonly string[]): string {
  const { name, summary } = command;
  const ownSynopsis = command.subcommands.length === 0 || command.arguments.length > 0 ? [command] : [];
  return `${page([
    pageHead({ name, section: 1, ...edition }),
    heading('Name'),
    `${escaped(name)} \\- ${escaped(asPhrase(summary))}`,
    heading('Synopsis'),
    [...ownSynopsis, ...command.subcommands].map(synopsis).join('\n.br\n'),
    heading('Description'),
    paragraph(summary),
    ...command.arguments.map(argumentItem),
    ...command.options.map(optionItem),
    ...notes(command),
    ...(command.subcommands.length > 0 ? [heading('Sub-commands')] : []),
    ...command.subcommands.flatMap(subcommandPart),
    markdownToRoff(moreAbout[name] ?? ''),
    heading('See also'),
    seeAlso.map(reference).join(',\n'),
  ])}\n`;
}

function subcommandPart(command: CommandLine): string[] {
  return [
    subheading(command.name),
    paragraph(asSentence(command.summary)),
    ...command.arguments.map(argumentItem),
    ...command.options.map(optionItem),
    ...notes(command),
  ];
}

/** What is needed, word by word; all else is `[option…]`. */
function synopsis({ name, options, arguments: args }: CommandLine): string {
  const needed = options.filter(({ required }) => required).map(({ long, value = '' }) => `${bold(long)} ${italic(value)}`);
  const words = args.map(({ name: word, required }) => (required ? italic(word) : `[${italic(word)}]`));
  return [bold(name), ...needed, `[${italic('option')} ...]`, ...words].join(' ');
}

function optionItem({ short, long, value, choices, description }: CommandOption): string {
  const flags = [short, long].flatMap((flag) => (flag === undefined ? [] : [bold(flag)])).join(', ');
  const among = choices.length > 0 && !description.includes(choices.join(' or ')) ? ` One of: ${choices.join(', ')}.` : '';
  return item(value === undefined ? flags : `${flags} ${italic(value)}`, asSentence(description) + among);
}

function argumentItem({ name, description }: CommandArgument): string {
  return item(italic(name), asSentence(description));
}

/** What stands indented in the help keeps its lines. */
function notes({ notes: text }: CommandLine): string[] {
  const blocks = text.split(/\n{2,}/).filter((block) => block !== '');
  return blocks.map((block) => (block.includes('\n  ') ? literal(block) : paragraph(block)));
}

function reference(to: string): string {
  const [name = '', section = ''] = to.split(/[()]/);
  return `${bold(name)}(${section})`;
}

function asSentence(text: string): string {
  const isName = /^\w*_/.test(text);
  const begun = isName ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.:!?]$/.test(begun) ? begun : `${begun}.`;
}

function asPhrase(text: string): string {
  return (text.charAt(0).toLowerCase() + text.slice(1)).replace(/\.$/, '');
}
