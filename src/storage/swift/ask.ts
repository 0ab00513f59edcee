import type { HttpAnswer, HttpRequest } from './http-client.ts';

/** Asks the login server; rejects where it does not answer with success. */
export type Ask = (request: HttpRequest) => Promise<HttpAnswer>;
