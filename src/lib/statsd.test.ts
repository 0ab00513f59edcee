import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UdpListener } from '../../test/support/udp-listener.ts';
import { formatMetric, Statsd, type StatsdOptions, type StatsdTags } from './statsd.ts';

const metrics: [what: string, format: StatsdOptions['format'], tags: StatsdTags, text: string][] = [
  ['telegraf', 'telegraf', { site: 'main', algorithm: 'zstd' }, 'a.b,algorithm=zstd,site=main:2.5|g'],
  ['telegraf without tags', 'telegraf', {}, 'a.b:2.5|g'],
  ['a tag without a value', 'telegraf', { flag: null, n: 3 }, 'a.b,flag,n=3:2.5|g'],
  ['datadog', 'datadog', { site: 'main', algorithm: 'zstd' }, 'a.b:2.5|g|#algorithm:zstd,site:main'],
  ['datadog without tags', 'datadog', {}, 'a.b:2.5|g'],
  ['a tag without a value for datadog', 'datadog', { flag: null }, 'a.b:2.5|g|#flag'],
  ['what would be taken for something else', 'telegraf', { 'a b': 'x,y=z:1|c\n#' }, 'a.b,a_b=x_y_z_1_c__:2.5|g'],
];
for (const [what, format, tags, text] of metrics) {
  test(`statsd format: ${what}`, () => assert.equal(formatMetric(format, { name: 'a.b', value: 2.5, type: 'g', tags }), text));
}

for (const host of ['127.0.0.1', '::1', 'localhost']) {
  test(`metrics arrive at ${host}, with the tags of all and their own`, async () => {
    await using listener = await UdpListener.open(host === '::1' ? host : '127.0.0.1');
    const statsd = new Statsd({ host, port: listener.port, format: 'telegraf', tags: { site: 'all', x: 'y' } });
    statsd.counter('sent', 7, { site: 'own' });
    statsd.gauge('age', 0.25);
    assert.deepEqual((await listener.received(2)).toSorted(), ['age,site=all,x=y:0.25|g', 'sent,site=own,x=y:7|c']);
    statsd.histogram('last', 0.5);
    await statsd.close();
    statsd.counter('late', 1);
    assert.deepEqual((await listener.received(3)).at(-1), 'last,site=all,x=y:0.5|h', 'what was said before the end');
  });
}

test('nobody listening, or a host that is not there, harms nobody', async () => {
  for (const host of ['127.0.0.1', 'no-such-host.invalid']) {
    const statsd = new Statsd({ host, port: 9, format: 'datadog', tags: {} });
    for (let i = 0; i < 20; i++) statsd.counter('sent', 1);
    await new Promise((resolve) => setImmediate(resolve));
    await statsd.close();
  }
});
