// `remit openapi`: prints the OpenAPI document, as committed under docs/.

import { openApiDocument } from '../api/server.ts';

export function printOpenApi(): void {
  process.stdout.write(`${JSON.stringify(openApiDocument(), null, 2)}\n`);
}
