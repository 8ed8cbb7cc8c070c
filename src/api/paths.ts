// Paths: from OpenAPI's way of writing them to Hono's, and which methods an address has.

interface Route {
  readonly method: string;
  readonly path: string;
}

/** "/v1/payouts/{semantic_key}" is "/v1/payouts/:semantic_key" to Hono. */
export function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

/** For the Allow header; empty when there is no such address at all. */
export function methodsOf(routes: readonly Route[], path: string): string[] {
  const methods = routes
    .filter((route) => route.method !== 'ALL' && matches(route.path, path))
    .map(({ method }) => method);
  // Hono answers HEAD where it answers GET.
  return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))].sort();
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const given = path.split('/');
  const isOpen = parts.at(-1) === '*';
  if (isOpen ? given.length < parts.length : given.length !== parts.length) return false;
  return parts.every((part, at) => {
    const actual = given[at] ?? '';
    return part === '*' || (part.startsWith(':') ? actual.length > 0 : part === actual);
  });
}
