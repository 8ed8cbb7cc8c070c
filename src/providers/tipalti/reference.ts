// Our pkid as Tipalti's refCode: without its dashes, because that has letters and digits only.

import { isPkid, type Pkid } from '../../domain/id.ts';

export function refCodeOf(pkid: Pkid): string {
  return pkid.replaceAll('-', '');
}

/** Null for a payment that somebody made another way. */
export function pkidOfRefCode(refCode: string): Pkid | null {
  const [, ...parts] = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i.exec(refCode) ?? [];
  const pkid = parts.join('-').toLowerCase();
  return isPkid(pkid) ? pkid : null;
}
