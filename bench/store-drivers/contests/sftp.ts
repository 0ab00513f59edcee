import { Sshd } from '../../../test/support/services/sshd.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import type { Contest, StoreClient } from '../contest.ts';
import { ourDriver } from '../our-driver.ts';
import { programClient } from '../program-client.ts';
import { cpuSecondsOf } from '../timed-program.ts';

/** OpenSSH at both ends, and ours at one. */
export const sftpContest: Contest = {
  name: 'sftp',
  start: async () => {
    const directory = await makeTemporaryDirectory();
    const server = await Sshd.start();
    const clients = [await ourDriver(server.storage()), openSsh(server, directory.path)];
    const stop = async () => {
      await server[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    };
    return { clients, [Symbol.asyncDispose]: stop };
  },
};

/** Files are neither fsynced nor renamed, and have no metadata. */
function openSsh({ port, keyFile, directory: home }: Sshd, directory: string): StoreClient {
  const connection = ['-P', String(port), '-i', keyFile, '-o', `UserKnownHostsFile=${home}/known_hosts`, '-b', '-', '127.0.0.1'];
  const run = (command: string) => cpuSecondsOf('sftp', ['-q', ...connection], `${command}\n`);
  const name = (key: string) => key.replaceAll('/', '_');
  return programClient('OpenSSH sftp', directory, {
    put: (key, file) => run(`put ${file} ${name(key)}`),
    get: (key, file) => run(`get ${name(key)} ${file}`),
  });
}
