import { join, relative } from 'node:path';
import { type Daemon, site } from './daemon.ts';
import type { Database } from './database.ts';
import type { Place } from './place.ts';
import type { Restored } from './restore.ts';
import { say } from './screen.ts';

/** Where things are, and what an operator may want to type now. */
export function sayWhatNext(scene: { place: Place; database: Database; daemon: Daemon; restored: Restored }): void {
  const { place, database, daemon, restored } = scene;
  const inHere = (path: string) => relative(place.directory, path);
  const bin = relative(process.cwd(), join(place.packageRoot, 'bin'));
  const config = relative(process.cwd(), daemon.configFile);
  say(`
Look at it: http://127.0.0.1:${daemon.port}/

The daemon and both databases keep running until Ctrl-C.

Everything is in ${place.directory}
  configuration  ${inHere(daemon.configFile)} (with the encryption keys)
  store          ${inHere(daemon.storeDirectory)}/
  state file     ${inHere(daemon.stateFile)}, also at http://127.0.0.1:${daemon.port}/status
  logs           ${inHere(daemon.logFile)}, restore.log, postgres.log, ${inHere(restored.logFile)}
  restored data  ${inHere(restored.dataDirectory)}/
  the database   ${database.address}
  the restored   psql -h ${restored.socketDirectory}${database.login.user ? ` -U ${database.login.user}` : ''}

Try next
  ${bin}/pghoard_restore list-basebackups --verbose --config ${config}
  curl -s http://127.0.0.1:${daemon.port}/${site}/basebackup
  curl -X PUT http://127.0.0.1:${daemon.port}/${site}/archive/basebackup     (take another base backup)
  ${bin}/pghoard_restore get-basebackup --config ${config} --target-dir /some/empty/directory --restore-to-primary
`);
}
