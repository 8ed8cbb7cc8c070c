// Finds card numbers in text, so that they are refused before anything stores or logs them.

/** Groups of digits with only spaces or dashes between them. */
const DIGIT_GROUPS = /\d+(?:[\s\p{Pd}]+\d+)*/gu;
/** What networks call the code on the card, without separators; "cid" is left out, because customers have ids too. */
const SECURITY_CODE_NAME =
  /^(card)?(cvc|cvv|cvn|csc|cav|securitycode|verificationcode|verificationvalue)(2|code|number|value)?$/;
const CARD_DIGITS_MIN = 13;
const CARD_DIGITS_MAX = 19;

/** Issuer prefixes with the lengths that their networks give out. */
const ISSUERS: readonly { readonly prefix: RegExp; readonly lengths: readonly number[] }[] = [
  { prefix: /^4/, lengths: [13, 16, 18, 19] },
  { prefix: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { prefix: /^3[47]/, lengths: [15] },
  { prefix: /^(6011|64[4-9]|65)/, lengths: [16, 17, 18, 19] },
  { prefix: /^(30[0-5]|3095|36|38|39)/, lengths: [14, 15, 16, 17, 18, 19] },
  { prefix: /^35(2[89]|[3-8])/, lengths: [16, 17, 18, 19] },
  { prefix: /^(2131|1800)/, lengths: [15] },
  { prefix: /^(62|81)/, lengths: [16, 17, 18, 19] },
  { prefix: /^220[0-4]/, lengths: [16, 17, 18, 19] },
  { prefix: /^(50|5[6-8]|6[0379])/, lengths: [13, 14, 15, 16, 17, 18, 19] },
];

export function hasCardNumber(text: string): boolean {
  for (const [run] of text.matchAll(DIGIT_GROUPS)) {
    if (runHasCardNumber(run.split(/\D+/u))) return true;
  }
  return false;
}

export function isSecurityCodeName(name: string): boolean {
  return SECURITY_CODE_NAME.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
}

/** Neighbouring groups together may be a number, whatever stands before or after them. */
function runHasCardNumber(groups: readonly string[]): boolean {
  for (let from = 0; from < groups.length; from += 1) {
    let digits = '';
    for (const group of groups.slice(from, from + CARD_DIGITS_MAX)) {
      digits += group;
      if (digits.length > CARD_DIGITS_MAX) break;
      if (digits.length >= CARD_DIGITS_MIN && isCardNumber(digits)) return true;
    }
  }
  return false;
}

function isCardNumber(digits: string): boolean {
  const isIssued = ISSUERS.some(({ prefix, lengths }) => lengths.includes(digits.length) && prefix.test(digits));
  return isIssued && luhnSum(digits) % 10 === 0;
}

function luhnSum(digits: string): number {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum;
}
