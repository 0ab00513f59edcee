import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRawServer } from '../../test/support/raw-server.ts';
import { DaemonArchive } from './daemon-archive.ts';
import { DaemonClient } from './daemon-client.ts';

const segment = '000000010000000000000003';
const answers = {
  'another server': (status: string) => `HTTP/1.1 ${status}\r\nServer: nginx/1.25\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  'a server without a name': (status: string) => `HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  'an answer that may have broken off': (status: string) => `HTTP/1.1 ${status}\r\nServer: pghoard/9.9.9\r\nConnection: close\r\n\r\n`,
};

for (const [what, answerOf] of Object.entries(answers)) {
  test(`archive_sync believes no success, and no absence, of ${what}`, async () => {
    let status = '';
    await using server = await startRawServer((socket) => socket.end(answerOf(status)));
    const { signal } = new AbortController();
    const archive = new DaemonArchive(new DaemonClient({ host: '127.0.0.1', port: server.port }, signal), 'main', signal);
    const refused = { code: 'daemon-refused', message: /a server that is not pghoard answered/ };
    status = '201 Created';
    await assert.rejects(archive.archive(segment), refused);
    await assert.rejects(archive.requestBasebackup(), refused);
    for (status of ['200 OK', '404 Not Found']) await assert.rejects(archive.archived(segment), refused);
  });
}
