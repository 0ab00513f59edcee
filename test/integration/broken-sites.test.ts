import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { descendantsOf } from '../support/process-tree.ts';
import type { StubAnswer, StubRequest } from '../support/services/http-stub.ts';
import { S3Stub } from '../support/services/s3-stub.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

interface State {
  readonly pghoard: { readonly sites: Readonly<Record<string, { readonly because: string }>> };
}

/** Takes connections and whatever is sent, and never says a word. */
class SilentServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<SilentServer> {
    const server = new SilentServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  private constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.on('error', () => {}).resume());
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A bucket that is empty, and hangs as soon as WAL is to be stored. */
function answerUntilUpload({ method, path, query }: StubRequest): StubAnswer | undefined {
  if (method === 'PUT' && path.includes('/xlog/')) return { isSilent: true };
  if (!query.has('list-type')) return undefined;
  return { body: '<ListBucketResult><Name>b</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>' };
}

describe('sites that are broken beside one that is not, with one thread for everything', () => {
  let site: TestSite;
  let silent: SilentServer;
  let stuck: S3Stub;
  let stopped: number | undefined;
  /** Requests that nobody answers, until the daemon is gone. */
  const inVain: Promise<unknown>[] = [];

  before(async () => {
    const one = { thread_count: 1 };
    site = await TestSite.start({
      initdb: ['--wal-segsize=1'],
      global: { compression: one, transfer: one },
      site: { basebackup_mode: 'pipe' },
    });
    silent = await SilentServer.start();
    stuck = await S3Stub.start(answerUntilUpload);
    const corrupt = join(site.directory, 'corrupt');
    await mkdir(join(corrupt, 'corrupt/basebackup'), { recursive: true });
    await writeFile(join(corrupt, 'corrupt/site_identity'), '{"format": "garbage');
    await writeFile(join(corrupt, 'corrupt/site_identity.metadata'), '{}');
    await writeFile(join(corrupt, 'corrupt/basebackup/2026-11-30_00-00_0'), 'garbage');
    await writeFile(join(corrupt, 'corrupt/basebackup/2026-11-30_00-00_0.metadata'), 'garbage');
    const local = (name: string) => ({ storage_type: 'local', directory: join(site.directory, name) });
    const s3 = {
      storage_type: 's3',
      bucket_name: 'b',
      host: '127.0.0.1',
      port: silent.port,
      aws_access_key_id: 'k',
      aws_secret_access_key: 's',
    };
    const common = { pg_data_directory: site.postgres.dataDirectory, basebackup_mode: 'pipe', active_backup_mode: 'archive_command' };
    const nodes = [site.postgres.dsn];
    await site.daemon.reconfigure({
      others: {
        'silent-server': { ...common, nodes: [`host=127.0.0.1 port=${silent.port} user=postgres`], object_storage: local('silent-server') },
        'silent-store': { ...common, nodes, object_storage: s3 },
        'stuck-store': { ...common, nodes, object_storage: stuck.options(), basebackup_interval_hours: null },
        corrupt: { ...common, nodes, object_storage: local('corrupt') },
        stalled: { ...common, nodes, object_storage: local('stalled'), basebackup_interval_hours: null },
      },
    });
  });
  after(async () => {
    if (stopped !== undefined) process.kill(stopped, 'SIGCONT');
    await site?.[Symbol.asyncDispose]();
    await silent?.[Symbol.asyncDispose]();
    await stuck?.[Symbol.asyncDispose]();
    await Promise.allSettled(inVain);
  });

  const says = async (name: string, words: RegExp) => {
    const because = async () => {
      const state = JSON.parse(await readFile(join(site.daemon.directory, 'state.json'), 'utf8')) as State;
      return state.pghoard.sites[name]?.because ?? '';
    };
    await waitFor(async () => words.test(await because()), {
      withinMs: 60_000,
      what: () => `${words} is told of ${name}:\n${site.daemon.log}`,
    });
  };
  /** All the upload places there are, if nobody else had one of his own. */
  const holdUploads = async (segments: readonly string[]) => {
    const isUpload = ({ method, path }: StubRequest) => method === 'PUT' && path.includes('/xlog/');
    const known = stuck.seen.filter(isUpload).length;
    for (const segment of segments) inVain.push(site.daemon.request('PUT', `/stuck-store/archive/${segment}`).catch(() => {}));
    await waitFor(() => stuck.seen.filter(isUpload).length > known, {
      withinMs: 30_000,
      what: () => `an upload is stuck:\n${site.daemon.log}`,
    });
  };
  /** Stops a pg_basebackup as a server does that hangs: the thread that reads from it waits. */
  const stallBasebackup = async () => {
    assert.equal((await site.daemon.request('PUT', '/stalled/basebackup')).status, 201);
    const isProgram = (pid: number) => /pg_basebackup\0.*--pgdata/.test(commandOf(pid));
    const found = () => descendantsOf(site.daemon.pid ?? 0).find(isProgram);
    const pid = await waitFor(found, { withinMs: 30_000, everyMs: 2, what: () => `pg_basebackup runs:\n${site.daemon.log}` });
    process.kill(pid, 'SIGSTOP');
    stopped = pid;
  };
  const goesOn = async () => {
    const begunMs = performance.now();
    await site.archiveAll();
    await site.basebackup();
    await site.archiveAll();
    return (performance.now() - begunMs) / 1000;
  };

  test('it goes on while a server, a store, a backup of others hang, and the metadata of one are garbage', async (t) => {
    await holdUploads([await site.archiveAll(), await site.archiveAll()]);
    await stallBasebackup();
    t.diagnostic(`${(await goesOn()).toFixed(1)} s`);
    await says('stalled', /a base backup is running/);
  });

  test('so it does after a start in the middle of all that', async (t) => {
    await site.daemon.kill9();
    // Nobody else ends what was stopped.
    if (stopped !== undefined) process.kill(stopped, 'SIGKILL');
    stopped = undefined;
    await site.daemon.launch();
    await holdUploads([await site.archiveAll(), await site.archiveAll()]);
    t.diagnostic(`${(await goesOn()).toFixed(1)} s`);
    await says('silent-server', /no server of the site can be used: .*not answer/);
    await says('corrupt', /identity/);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
