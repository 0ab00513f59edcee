/** How PostgreSQL gets WAL back from the daemon. */
export interface WalSource {
  /** The command line client, by path or by name. */
  readonly program: string;
  readonly site: string;
  readonly port: number;
  /** Left out of the command line where it is what the client uses anyway. */
  readonly host: string;
  /** File with the credentials for the daemon's HTTP server, as the client finds it from the data directory. Never the credentials themselves:
   * every user of the machine can read command lines. */
  readonly credentialsFile?: string | undefined;
}

export const defaultHost = '127.0.0.1';

/** The value of `restore_command`: a line for `sh` in which PostgreSQL replaces `%f`, `%p` and `%%`. */
export function restoreCommand(source: WalSource): string {
  const { program, host, port, site, credentialsFile } = source;
  const words = [program, '--mode', 'restore'];
  if (host !== defaultHost) words.push('--host', host);
  words.push('--port', String(port), '--site', site);
  if (credentialsFile !== undefined) words.push('--credentials-file', credentialsFile);
  return `${words.map(shellWord).join(' ')} --output %p --xlog %f`;
}

/** Where a client on this machine reaches an HTTP server that listens on `address`. */
export function reachableHost(address: string): string {
  return ['', '0.0.0.0', '::', '*', 'localhost'].includes(address) ? defaultHost : address;
}

function shellWord(word: string): string {
  const quoted = /^[\w./:@+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
  return quoted.replaceAll('%', '%%');
}
