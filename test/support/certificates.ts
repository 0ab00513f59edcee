import assert from 'node:assert/strict';
import { chmod, chown, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../src/lib/subprocess.ts';
import { systemUser } from './system-user.ts';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority for one test, made with openssl in `directory`. */
export class TestAuthority {
  readonly cert: string;
  readonly #key: string;
  readonly #directory: string;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.cert = join(directory, `${name}.crt`);
    this.#key = join(directory, `${name}.key`);
  }

  static async create(directory: string, name = 'authority'): Promise<TestAuthority> {
    const authority = new TestAuthority(directory, name);
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    await openssl(['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', authority.#key, '-out', authority.cert, ...subject]);
    return authority;
  }

  /** `names` as OpenSSL writes them: `DNS:localhost`, `IP:127.0.0.1`. */
  async issue(commonName: string, names: readonly string[] = []): Promise<Certificate> {
    const base = join(this.#directory, `issued-${commonName}`);
    const [request, key, cert, extensions] = [`${base}.csr`, `${base}.key`, `${base}.crt`, `${base}.ext`];
    await openssl(['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', request, '-subj', `/CN=${commonName}`]);
    await writeFile(extensions, names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`);
    const signing = ['-CA', this.cert, '-CAkey', this.#key, '-CAcreateserial', '-days', '2', '-extfile', extensions];
    await openssl(['x509', '-req', '-in', request, '-out', cert, ...signing]);
    return { cert, key };
  }
}

/** Puts a certificate where PostgreSQL looks for its own, with the owner and mode that it insists on. */
export async function installServerCertificate(certificate: Certificate, dataDirectory: string): Promise<void> {
  const { uid, gid } = systemUser();
  for (const [from, name] of [
    [certificate.cert, 'server.crt'],
    [certificate.key, 'server.key'],
  ] as const) {
    const path = join(dataDirectory, name);
    await copyFile(from, path);
    await chown(path, uid, gid);
    await chmod(path, 0o600);
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  const result = await runProgram('openssl', args);
  assert.equal(result.code, 0, `openssl ${args[0]} failed: ${result.stderr}`);
}
