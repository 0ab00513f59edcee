import { storageOptions } from '../../../src/storage/options.ts';
import { TestSwift } from '../../../test/support/services/swift.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import type { Contest, StoreClient } from '../contest.ts';
import { ourDriver } from '../our-driver.ts';
import { programClient } from '../program-client.ts';
import { cpuSecondsOf } from '../timed-program.ts';

const container = 'bench';

/** OpenStack Swift of Debian, with TempAuth. */
export const swiftContest: Contest = {
  name: 'swift',
  start: async () => {
    const directory = await makeTemporaryDirectory();
    const server = await TestSwift.start({ directory: directory.path });
    const options = { storage_type: 'swift', container_name: container, auth_version: 1, auth_url: server.authUrl, ...server.admin };
    const clients = [await ourDriver(storageOptions.parse(options)), await curl(server, directory.path)];
    const stop = async () => {
      await server.stop();
      await directory[Symbol.asyncDispose]();
    };
    return { clients, [Symbol.asyncDispose]: stop };
  },
};

/** There is no library for Node; curl sends what it is given and checks nothing. */
async function curl({ authUrl, admin }: TestSwift, directory: string): Promise<StoreClient> {
  const { headers } = await fetch(authUrl, { headers: { 'x-auth-user': admin.user, 'x-auth-key': admin.key } });
  const [url, token] = [headers.get('x-storage-url'), headers.get('x-auth-token')];
  const ask = (key: string, args: readonly string[]) =>
    cpuSecondsOf('curl', ['-sf', '-H', `x-auth-token: ${token}`, ...args, `${url}/${container}/${key}`]);
  await ask('', ['-X', 'PUT']);
  return programClient('curl', directory, {
    put: (key, file) => ask(key, ['-T', file, '-o', '/dev/null']),
    get: (key, file) => ask(key, ['-o', file]),
  });
}
