/** What the routes see of a request. */
export interface ApiRequest {
  readonly method: string;
  /** As it was sent: not decoded. */
  readonly url: string;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** Aborted when the client has gone, or the server ends. */
  readonly signal: AbortSignal;
}
