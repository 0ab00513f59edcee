import { allCommands } from './all-commands.ts';
import { bashCompletion } from './bash-completion.ts';
import type { CommandLine } from './command-line.ts';
import { commandPage, type Edition } from './command-page.ts';
import { configPage } from './config-page.ts';
import { fishCompletion } from './fish-completion.ts';
import { zshCompletion } from './zsh-completion.ts';

/** Every manual page and completion, by its path below a `share` directory as Linux distributions have it. */
export async function manualFiles(edition: Edition): Promise<ReadonlyMap<string, string>> {
  const commands = await allCommands();
  return new Map([...commands.flatMap((command) => pages(command, commands, edition)), configuration(edition), ...completions(commands)]);
}

/** A page for the command, and a way to it from each sub-command: `man pghoard check` looks for pghoard-check. */
function pages(command: CommandLine, all: readonly CommandLine[], edition: Edition): [string, string][] {
  const seeAlso = [...all.filter((each) => each !== command).map(({ name }) => `${name}(1)`), 'pghoard.json(5)'];
  const aliases = command.subcommands.map(({ name }) => name.replaceAll(' ', '-'));
  return [
    [`man/man1/${command.name}.1`, commandPage(command, edition, seeAlso)],
    ...aliases.map((alias): [string, string] => [`man/man1/${alias}.1`, `.so man1/${command.name}.1\n`]),
  ];
}

function configuration(edition: Edition): [string, string] {
  return ['man/man5/pghoard.json.5', configPage(edition)];
}

/** Each where its shell looks for that of a command. One file of bash and zsh serves all commands. */
function completions(commands: readonly CommandLine[]): [string, string][] {
  return [
    ...commands.map(({ name }): [string, string] => [`bash-completion/completions/${name}`, bashCompletion(commands)]),
    ['zsh/site-functions/_pghoard', zshCompletion(commands)],
    ...commands.map((command): [string, string] => [`fish/vendor_completions.d/${command.name}.fish`, fishCompletion(command)]),
  ];
}
