// Why the embedded PostgreSQL could not be had. The message is for the person who started us and ends with the way out.
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}
