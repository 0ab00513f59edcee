import type { Agent } from 'node:http';
import { getCACertificates } from 'node:tls';
import { openHttpAgent } from '../http-agent.ts';
import { readCertificates } from '../read-certificates.ts';
import type { GoogleStorageOptions } from './options.ts';

/** How long an unused connection is kept. */
const idleMs = 120_000;

/** Connections to the store, and to whoever gives out tokens. */
export interface Agents {
  readonly of: (url: URL) => Agent;
  readonly close: () => void;
}

/** Certificates of `cert_path` are trusted beside those that Node knows: tokens come from Google all the same. */
export async function openAgents({ cert_path, proxy_info: proxy }: GoogleStorageOptions): Promise<Agents> {
  const ca = cert_path === null ? undefined : [...getCACertificates('default'), await readCertificates(cert_path)].join('\n');
  const secure = await openHttpAgent({ secure: true, ca, proxy, idleMs });
  const plain = await openHttpAgent({ secure: false, ca, proxy, idleMs });
  return {
    of: ({ protocol }) => (protocol === 'https:' ? secure : plain),
    close: () => {
      secure.destroy();
      plain.destroy();
    },
  };
}
