import { type CommandLine, type CommandOption, completionOf, lastWordOf } from './command-line.ts';

/** Completions of one command for fish, which looks for them in a file of its name. */
export function fishCompletion(command: CommandLine): string {
  const { name, subcommands } = command;
  const names = subcommands.map((each) => lastWordOf(each.name));
  const before = names.length === 0 ? '' : ` -n ${quoted(`not __fish_seen_subcommand_from ${names.join(' ')}`)}`;
  const lines = [
    '# Completion for fish, made from the command line of the program.',
    `complete -c ${name} ${command.arguments.length === 0 ? '-f' : `-f${within(names)}`}`,
    ...subcommands.map((each) => `complete -c ${name}${before} -a ${lastWordOf(each.name)} -d ${quoted(each.summary)}`),
    ...command.options.map((option) => `complete -c ${name}${before} ${flags(option)}`),
    ...subcommands.flatMap((each) =>
      each.options.map((option) => `complete -c ${name}${within([lastWordOf(each.name)])} ${flags(option)}`),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function within(subcommands: readonly string[]): string {
  return subcommands.length === 0 ? '' : ` -n ${quoted(`__fish_seen_subcommand_from ${subcommands.join(' ')}`)}`;
}

function flags(option: CommandOption): string {
  const { short, long, description } = option;
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    `-l ${long.slice(2)}`,
    ...value(option),
    `-d ${quoted(description)}`,
  ].join(' ');
}

function value(option: CommandOption): string[] {
  if (option.value === undefined) return [];
  switch (completionOf(option)) {
    case 'words':
      return ['-x', `-a ${quoted(option.choices.join(' '))}`];
    case 'files':
      return ['-r -F'];
    case 'directories':
      return ["-x -a '(__fish_complete_directories)'"];
    case 'programs':
      return ['-r -F', "-a '(__fish_complete_command)'"];
    case 'nothing':
      return ['-x'];
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
