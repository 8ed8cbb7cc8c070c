// Stripe's search language as far as one finds payments by what one wrote on them: `field:'value'`, joined by AND.

const CLAUSE =
  /^(metadata\[(?<quote>['"])(?<key>[^'"]+)\k<quote>\]|(?<field>[a-z_]+)):(?<mark>['"]?)(?<value>[^'"]*)\k<mark>$/;

/** A test for objects, or null when the query is not understood. */
export function searched(query: string): ((object: Record<string, unknown>) => boolean) | null {
  const clauses = query.split(/\s+AND\s+/i).map((text) => CLAUSE.exec(text.trim())?.groups);
  if (clauses.some((groups) => !groups)) return null;
  return (object) =>
    clauses.every((groups) => {
      const { key, field, value } = groups ?? {};
      const metadata = Object.entries(Object(object.metadata));
      const found = key === undefined ? object[String(field)] : metadata.find(([name]) => name === key)?.[1];
      return found !== undefined && String(found) === value;
    });
}
