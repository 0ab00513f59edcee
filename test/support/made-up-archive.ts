import { formatWalName } from '../../src/postgres/wal-name.ts';
import { type Answering, HttpStub } from './services/http-stub.ts';
import { s3Error, xml } from './services/s3-stub.ts';

const pageKeys = 1000;
const segmentBytes = 16 * 1024 * 1024;
const time = '<LastModified>2026-11-30T00:00:00.000Z</LastModified>';

/** A bucket that has so many WAL segments of a site, one after the other, and nothing else. Nobody could fill it in a test: its pages are made as they are asked for. */
export async function startMadeUpArchive(site: string, segments: number): Promise<HttpStub & { readonly listed: number }> {
  const prefix = `${site}/xlog/`;
  const keyOf = (number: number) => prefix + formatWalName({ timeline: 1, number: BigInt(number + 1) }, segmentBytes);
  let listed = 0;
  const list = (query: URLSearchParams) => {
    const asked = query.get('prefix') ?? '';
    const end = prefix.startsWith(asked) || asked.startsWith(prefix) ? segments : 0;
    const first = firstAfter(query, keyOf, segments);
    const keys = [];
    for (let at = first; at < end && keys.length < pageKeys; at++) if (keyOf(at).startsWith(asked)) keys.push(keyOf(at));
    listed += keys.length;
    const next = first + keys.length;
    const more = keys.length === pageKeys && next < segments;
    const token = more ? `<NextContinuationToken>${next}</NextContinuationToken>` : '';
    return xml(
      `<ListBucketResult><Name>b</Name><IsTruncated>${more}</IsTruncated>${token}${keys.map(contentsOf).join('')}</ListBucketResult>`,
    );
  };
  const answering: Answering = ({ method, path, query }) => {
    if (query.has('list-type')) return list(query);
    if (method === 'PUT') return { headers: { etag: '"d41d8cd98f00b204e9800998ecf8427e"' } };
    if (!path.includes(prefix)) return s3Error(404, 'NoSuchKey');
    return { headers: { 'x-amz-meta-original-file-size': String(segmentBytes), 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' } };
  };
  const stub = await HttpStub.start(answering);
  return Object.defineProperty(stub, 'listed', { get: () => listed }) as HttpStub & { readonly listed: number };
}

/** Of the first key that is due. */
function firstAfter(query: URLSearchParams, keyOf: (number: number) => string, segments: number): number {
  const token = query.get('continuation-token');
  if (token !== null) return Number(token);
  const after = query.get('start-after') ?? '';
  let [low, high] = [0, segments];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(middle) > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

function contentsOf(key: string): string {
  return `<Contents><Key>${key}</Key>${time}<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>1000</Size></Contents>`;
}
