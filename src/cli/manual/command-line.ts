import type { Argument, Command, Option } from 'commander';

/** A command line as there is to tell of it: in a manual page, to a shell that completes it. */
export interface CommandLine {
  /** As it is typed: `pghoard check`. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CommandOption[];
  readonly arguments: readonly CommandArgument[];
  readonly subcommands: readonly CommandLine[];
  /** What its help says after the options. */
  readonly notes: string;
}

export interface CommandOption {
  /** `-D`. */
  readonly short?: string;
  /** `--debug`. */
  readonly long: string;
  /** What its value is (`file`); undefined for a flag. */
  readonly value?: string;
  readonly choices: readonly string[];
  readonly required: boolean;
  readonly description: string;
}

export interface CommandArgument {
  readonly name: string;
  readonly required: boolean;
  readonly description: string;
}

/** What a command of commander's knows about itself. */
export function commandLineOf(command: Command, parent = ''): CommandLine {
  const name = [parent, command.name()].join(' ').trim();
  return {
    name,
    summary: command.description(),
    options: command.createHelp().visibleOptions(command).map(optionOf),
    arguments: command.registeredArguments.map(argumentOf),
    subcommands: command.commands.map((each) => commandLineOf(each, name)),
    notes: notesOf(command),
  };
}

function optionOf(option: Option): CommandOption {
  const value = /[<[](?<name>[^>\]]+)[>\]]/.exec(option.flags)?.groups?.['name'];
  return {
    ...(option.short !== undefined && { short: option.short }),
    long: option.long ?? option.flags,
    ...(value !== undefined && { value }),
    choices: option.argChoices ?? [],
    required: option.mandatory,
    description: `${option.description}${defaultOf(option)}`,
  };
}

/** Numbers and words that hold where the option is left out. What depends on the environment is told by the description itself. */
function defaultOf({ defaultValue, description }: Option): string {
  const told = typeof defaultValue === 'number' || (typeof defaultValue === 'string' && defaultValue !== '');
  return told && !description.includes('(default') ? ` (default: ${defaultValue})` : '';
}

function argumentOf(argument: Argument): CommandArgument {
  return { name: argument.name(), required: argument.required, description: argument.description };
}

function notesOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
  return help.slice(command.helpInformation().length).trim();
}

/** What a shell can offer as the value of an option. */
export function completionOf({ value, choices }: CommandOption): 'nothing' | 'words' | 'files' | 'directories' | 'programs' {
  if (choices.length > 0) return 'words';
  switch (value) {
    case 'file':
    case 'path':
      return 'files';
    case 'dir':
      return 'directories';
    case 'program':
      return 'programs';
    default:
      return 'nothing';
  }
}

/** Of `pghoard check`, `check`. */
export function lastWordOf(name: string): string {
  return name.slice(name.lastIndexOf(' ') + 1);
}
