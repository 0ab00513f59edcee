import { type Answering, HttpStub } from './services/http-stub.ts';
import { xml } from './services/s3-stub.ts';

const pageKeys = 1000;
const prefix = 'site/xlog/';

/** A bucket with so many keys that nobody could fill it in a test. Its pages are made as they are asked for. */
export function startMadeUpListing(keys: number): Promise<HttpStub> {
  const answering: Answering = ({ query }) => {
    const first = Number(query.get('continuation-token') ?? query.get('start-after')?.slice(prefix.length) ?? -1) + 1;
    const last = Math.min(keys, first + pageKeys) - 1;
    const contents = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => contentsOf(first + i));
    const more = last + 1 < keys;
    const next = more ? `<NextContinuationToken>${last}</NextContinuationToken>` : '';
    return xml(`<ListBucketResult><Name>b</Name><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`);
  };
  return HttpStub.start(answering);
}

export function madeUpKey(number: number): string {
  return prefix + String(number).padStart(24, '0');
}

function contentsOf(number: number): string {
  const time = '<LastModified>2026-11-30T00:00:00.000Z</LastModified>';
  return `<Contents><Key>${madeUpKey(number)}</Key>${time}<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>${number}</Size></Contents>`;
}
