// What callers read when something is wrong: sentences of ours that end, never the words of a library.

/** How zod speaks. */
const LIBRARY_WORDS = /\bexpected\b|Invalid input|Too (small|big)|Unrecognized/;

/** Throws when an answer tells what is wrong with a field in words that are not meant for callers. */
export function checkWords(place: string, json: Readonly<Record<string, unknown>>): void {
  const { detail, errors } = json;
  if (!Array.isArray(errors)) return;
  for (const text of [detail, ...errors.map((error) => error.detail)]) {
    const isSentence = typeof text === 'string' && text.endsWith('.') && !LIBRARY_WORDS.test(text);
    if (!isSentence) throw new Error(`${place} says: ${text}`);
  }
}
