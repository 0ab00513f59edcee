import { type CommandLine, type CommandOption, completionOf, lastWordOf } from './command-line.ts';

/** One function of bash that completes the command lines of all commands. */
export function bashCompletion(commands: readonly CommandLine[]): string {
  const all = commands.flatMap((command) => [command, ...command.subcommands]);
  const subcommands = commands.flatMap((command) => command.subcommands.map(({ name }) => quoted(name)));
  return `# Completion for bash, made from the command lines of the programs.

_pghoard() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[0]##*/} index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command \${COMP_WORDS[index]}" in
      ${subcommands.join(' | ')}) command+=" \${COMP_WORDS[index]}" && break ;;
    esac
  done
  # --option=value comes as three words.
  if [[ $current == = ]]; then current=
  elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi

  COMPREPLY=()
  case "$command $previous" in
${all.flatMap((command) => command.options.filter(({ value }) => value !== undefined).map((option) => valueCase(command, option))).join('\n')}
  esac
  case "$command" in
${all.map(wordsCase).join('\n')}
  esac
}

_pghoard_offer() {
  mapfile -t COMPREPLY < <(compgen "\${@:2}" -- "$1")
}

_pghoard_offer_files() {
  compopt -o filenames 2> /dev/null # bash quotes what needs it, and goes on below directories
  _pghoard_offer "$@"
}

complete -F _pghoard ${commands.map(({ name }) => name).join(' ')}
`;
}

function valueCase({ name }: CommandLine, option: CommandOption): string {
  return `    ${quoted(`${name} ${option.long}`)}) ${offer(option)}return ;;`;
}

function offer(option: CommandOption): string {
  switch (completionOf(option)) {
    case 'words':
      return `_pghoard_offer "$current" -W ${quoted(option.choices.join(' '))}; `;
    case 'files':
      return '_pghoard_offer_files "$current" -f; ';
    case 'directories':
      return '_pghoard_offer_files "$current" -d; ';
    case 'programs':
      return '_pghoard_offer_files "$current" -fc; ';
    case 'nothing':
      return '';
  }
}

function wordsCase({ name, options, subcommands, arguments: args }: CommandLine): string {
  const words = [...options.flatMap(({ short, long }) => [short, long]), ...subcommands.map((each) => lastWordOf(each.name))];
  const line = `_pghoard_offer "$current" -W ${quoted(words.filter((word) => word !== undefined).join(' '))}`;
  const files = args.length === 0 ? '' : '; [ ${#COMPREPLY[@]} != 0 ] || _pghoard_offer_files "$current" -f';
  return `    ${quoted(name)}) ${line}${files} ;;`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
