import { startMadeUpListing } from '../../test/support/made-up-listing.ts';

// The server in a process of its own, so that only what the client holds is measured. Says where it is, and ends with its parent.
const server = await startMadeUpListing(Number(process.argv[2]));
process.send?.({ port: server.port });
setInterval(() => (server.seen.length = 0), 100);
process.on('disconnect', () => process.exit());
