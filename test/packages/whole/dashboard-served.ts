import assert from 'node:assert/strict';

/** The daemon at this port serves the dashboard whole: the page, and everything that the page loads. */
export async function assertServesDashboard(port: number): Promise<void> {
  const address = `http://127.0.0.1:${port}/`;
  const page = await fetch(address);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  const html = await page.text();
  const loaded = [...html.matchAll(/(?:src|href)="([^"#:]+)"/g)].map(([, path = '']) => path);
  for (const kind of [/\.js$/, /\.css$/]) {
    assert(
      loaded.some((path) => kind.test(path)),
      html,
    );
  }
  for (const path of loaded) {
    const part = await fetch(new URL(path, address));
    assert.equal(part.status, 200, path);
    assert.notEqual((await part.arrayBuffer()).byteLength, 0, path);
  }
}
