import { quoted } from '../lib/quoted.ts';

/** How PostgreSQL gets WAL back from the daemon. */
export interface WalSource {
  /** The command line client, by path or by name. */
  readonly program: string;
  readonly site: string;
  readonly port: number;
  /** Left out of the command line where it is what the client uses anyway. */
  readonly host: string;
  /**
   * For a daemon that wants credentials. Every user of the machine can read command lines, so the password is in a file that only PostgreSQL's
   * user can, named as seen from the data directory, and reaches the client through its environment.
   */
  readonly credentials?: { readonly username: string; readonly passwordFile: string } | undefined;
}

export const defaultHost = '127.0.0.1';

/** The value of `restore_command`: a line for `sh` in which PostgreSQL replaces `%f`, `%p` and `%%`. */
export function restoreCommand(source: WalSource): string {
  const { program, host, port, site, credentials } = source;
  const words = [program, '--mode', 'restore'];
  if (host !== defaultHost) words.push('--host', host);
  words.push('--port', String(port), '--site', site);
  return `${credentials ? environment(credentials) : ''}${words.map(shellWord).join(' ')} --output %p --xlog %f`;
}

/** Where a client on this machine reaches an HTTP server that listens on `address`. */
export function reachableHost(address: string): string {
  return ['', '0.0.0.0', '::', '*', 'localhost'].includes(address) ? defaultHost : address;
}

/** Should the file be lost, the client has no password, is refused, and says "cannot tell" rather than "not there". */
function environment({ username, passwordFile }: NonNullable<WalSource['credentials']>): string {
  return `PGHOARD_USERNAME=${shellWord(username)} PGHOARD_PASSWORD="$(cat ${shellWord(passwordFile)})" `;
}

/** Of a command line in which PostgreSQL replaces what begins with `%`. */
function shellWord(word: string): string {
  return quoted(word).replaceAll('%', '%%');
}
