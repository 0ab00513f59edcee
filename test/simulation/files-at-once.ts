import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const some = ['access', 'copyFile', 'chmod', 'link', 'lstat', 'mkdir', 'readFile', 'readdir', 'realpath', 'rename', 'rm', 'rmdir'] as const;
const more = ['stat', 'statfs', 'symlink', 'truncate', 'unlink', 'utimes', 'writeFile'] as const;

type Call = (...given: unknown[]) => unknown;
const sync = fs as unknown as Record<string, Call>;
const promised = fs.promises as unknown as Record<string, Call>;

/**
 * Has what files are asked for done at once, in place of on a thread of its own: so that nothing goes on that nobody can wait for, and one seed is always the same
 * year.
 */
export function doFilesAtOnce(): void {
  for (const name of [...some, ...more]) promised[name] = async (...given) => sync[`${name}Sync`]?.(...given);
  promised['opendir'] = async (path) => {
    const entries = fs.readdirSync(path as string, { withFileTypes: true });
    return {
      async *[Symbol.asyncIterator]() {
        yield* entries;
      },
      close: async () => {},
    };
  };
  promised['open'] = async (...given) => new HandleAtOnce((sync['openSync'] as Call)(...given) as number);
  syncBuiltinESMExports();
}

/** As much of a `FileHandle` as is used. */
class HandleAtOnce {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  async write(bytes: Uint8Array): Promise<{ readonly bytesWritten: number }> {
    return { bytesWritten: fs.writeSync(this.fd, bytes) };
  }

  async writeFile(content: string | Uint8Array): Promise<void> {
    fs.writeFileSync(this.fd, content);
  }

  async readFile(encoding: BufferEncoding): Promise<string> {
    return fs.readFileSync(this.fd, encoding);
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }> {
    return { bytesRead: fs.readSync(this.fd, buffer, offset, length, position) };
  }

  async chmod(mode: number): Promise<void> {
    fs.fchmodSync(this.fd, mode);
  }

  async stat(): Promise<fs.Stats> {
    return fs.fstatSync(this.fd);
  }

  /** Nothing of the year has to outlast it. */
  async sync(): Promise<void> {}

  async datasync(): Promise<void> {}

  async close(): Promise<void> {
    fs.closeSync(this.fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
