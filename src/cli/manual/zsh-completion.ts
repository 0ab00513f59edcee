import { type CommandLine, type CommandOption, completionOf, lastWordOf } from './command-line.ts';

/** The file \`_pghoard\` of zsh: a function per command line, chosen by the command that is being typed. */
export function zshCompletion(commands: readonly CommandLine[]): string {
  const all = commands.flatMap((command) => [...command.subcommands, command]);
  return `#compdef ${commands.map(({ name }) => name).join(' ')}
# Completion for zsh, made from the command lines of the programs.

${all.map(completionFunction).join('\n\n')}

${functionName('$service')}
`;
}

function completionFunction(command: CommandLine): string {
  const specs = [...command.options.map(optionSpec), ...restSpecs(command)].map((spec) => `    ${spec}`);
  const call = ['  _arguments -C -S', ...specs].join(' \\\n');
  return `${functionName(command.name)}() {
  local curcontext=$curcontext state line
  typeset -A opt_args
${call}${command.subcommands.length === 0 ? '' : ` && return\n${dispatch(command)}`}
}`;
}

/** What follows the options: a sub-command and its own command line, or arguments. */
function restSpecs({ subcommands, arguments: args }: CommandLine): string[] {
  if (subcommands.length > 0) return [quoted('1: :->subcommand'), quoted('*:: :->rest')];
  return args.map(({ name }) => quoted(`:${name}:_files`));
}

function dispatch({ subcommands, arguments: args }: CommandLine): string {
  const names = subcommands.map(({ name, summary }) => quoted(`${lastWordOf(name)}:${summary}`));
  return `  case $state in
    subcommand)
      local -a names=(${names.join(' ')})
      _describe -t commands sub-command names${args.length === 0 ? '' : '\n      _files'} ;;
    rest)
      case $line[1] in
${subcommands.map(({ name }) => `        ${lastWordOf(name)}) ${functionName(name)} ;;`).join('\n')}
      esac ;;
  esac`;
}

function optionSpec(option: CommandOption): string {
  const { short, long, value } = option;
  const about = `[${escapedInSpec(option.description)}]`;
  const argument = value === undefined ? '' : `:${value.replaceAll(':', ' ')}:${action(option)}`;
  const flag = value === undefined ? long : `${long}=`;
  if (short === undefined) return quoted(`${flag}${about}${argument}`);
  return `${quoted(`(${short} ${long})`)}{${short},${flag}}${quoted(about + argument)}`;
}

function action(option: CommandOption): string {
  switch (completionOf(option)) {
    case 'words':
      return `(${option.choices.join(' ')})`;
    case 'files':
      return '_files';
    case 'directories':
      return '_files -/';
    case 'programs':
      return '_command_names -e';
    case 'nothing':
      return ' ';
  }
}

function functionName(command: string): string {
  return `_pghoard-${command.replaceAll(' ', '-')}`;
}

function escapedInSpec(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
