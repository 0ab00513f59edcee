import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const requestShape = z.object({
  auth: z.object({
    tenantName: z.string().optional(),
    tenantId: z.string().optional(),
    passwordCredentials: z.object({ username: z.string(), password: z.string() }),
  }),
});

const grantedShape = z.object({
  token: z.object({
    expires_at: z.string(),
    catalog: z.array(
      z.object({ type: z.string(), endpoints: z.array(z.object({ interface: z.string(), region: z.string(), url: z.string() })) }),
    ),
  }),
});

type Granted = z.output<typeof grantedShape>['token'];

/** Keystone's API of before 2018, which no Keystone has any more: tokens and accounts are those of a real one, only the shape of the request and of the answer is ours. */
export class KeystoneV2Front implements AsyncDisposable {
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2.0`;
  }

  /** Before the Keystone at `keystoneUrl`. */
  static async start(keystoneUrl: string): Promise<KeystoneV2Front> {
    const server = createServer((request, response) => void serve(request, response, keystoneUrl));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new KeystoneV2Front(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, keystoneUrl: string): Promise<void> {
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  const parsed = requestShape.safeParse(JSON.parse((await text(request)) || '{}'));
  if (request.method !== 'POST' || request.url !== '/v2.0/tokens' || !parsed.success) return send(404, { error: { code: 404 } });
  const asked = await fetch(`${keystoneUrl}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asV3(parsed.data.auth)),
  });
  const answer: unknown = await asked.json();
  if (!asked.ok) return send(asked.status, answer);
  send(200, asV2(grantedShape.parse(answer).token, asked.headers.get('x-subject-token') ?? ''));
}

function asV3({ tenantName, tenantId, passwordCredentials }: z.output<typeof requestShape>['auth']): unknown {
  const { username, password } = passwordCredentials;
  const domain = { id: 'default' };
  const project = tenantId === undefined ? { name: tenantName, domain } : { id: tenantId };
  return { auth: { identity: { methods: ['password'], password: { user: { name: username, domain, password } } }, scope: { project } } };
}

function asV2({ expires_at, catalog }: Granted, token: string): unknown {
  const serviceCatalog = catalog.map(({ type, endpoints }) => ({
    type,
    endpoints: [
      {
        region: endpoints[0]?.region,
        ...Object.fromEntries(endpoints.map((it) => [`${it.interface}URL`, it.url])),
      },
    ],
  }));
  return { access: { token: { id: token, expires: expires_at }, serviceCatalog } };
}
